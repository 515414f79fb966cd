"""What is said on the console, and what in the log file alone."""

import contextlib
import io
import itertools
import warnings
from collections.abc import Callable
from pathlib import Path

import mmengine.logging
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mmengine.logging import MMLogger
from pycocotools.coco import COCO

from abc_mmdet.apis.console import CHATTER, WithoutChatter, short_console, shorten
from abc_mmdet.utils.imports import no_debug_prints


def log_from(module: str, function: str, call: str) -> Callable[[MMLogger], None]:
    """A function of that module and name, which logs."""
    content: dict = dict(__name__=module, print_log=mmengine.logging.print_log)
    exec(f'def {function}(logger):\n    {call}', content)
    return content[function]


@pytest.mark.parametrize(
    ('module', 'function', 'call', 'shown'),
    [
        ('mmengine.runner.runner', '_log_env', 'logger.info("line")', None),
        ('mmengine.runner.runner', 'resume', 'logger.info("line")', 'line'),
        ('mmengine.hooks.logger_hook', 'after_train_iter', 'logger.info("line")', None),
        ('mmdet.evaluation.metrics', 'compute', 'print_log("line", logger)', None),
        ('mmdet.anything', 'f', 'logger.warning("line")', 'warning: line'),
        ('mmengine.fileio', 'f', 'logger.warning("line will be deprecated in future")', None),
        ('abc_mmdet.engine.hooks.loss_hooks', 'f', 'print_log("line", logger)', 'line'),
        ('mmdetection_of_mine', 'f', 'logger.info("line")', 'line'),
        ('my_hooks', 'f', 'logger.error("line")', 'error: line'),
    ],
)
def test_who_says_what(
    module: str,
    function: str,
    call: str,
    shown: str | None,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    logger = MMLogger('a run', log_file=str(tmp_path / 'run.log'))
    shorten(logger)
    log_from(module, function, call)(logger)
    assert capsys.readouterr().out == (f'{shown}\n' if shown else '')
    assert 'line' in (tmp_path / 'run.log').read_text(), 'the file has everything'
    for handler in logger.handlers:
        handler.close()


def test_the_detour_of_what_was_imported_first(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """MMEngine's modules that came in with ours log through a function of this package."""
    logger = MMLogger('a run', log_file=str(tmp_path / 'run.log'))
    shorten(logger)
    with no_debug_prints():
        log = log_from('mmengine.optim.x', 'f', 'print_log("paramwise_options", logger)')
    log(logger)
    assert capsys.readouterr().out == ''
    assert 'paramwise_options' in (tmp_path / 'run.log').read_text()


def test_pycocotools_is_not_heard(capsys: pytest.CaptureFixture[str]) -> None:
    def read() -> None:
        coco = COCO()
        coco.dataset = dict(images=[], annotations=[], categories=[])
        coco.createIndex()
        print('mine')

    with short_console():
        read()
    assert capsys.readouterr().out == 'mine\n'
    with short_console(verbose=True):
        read()
    assert capsys.readouterr().out == 'creating index...\nindex created!\nmine\n'


def test_one_warning_less(recwarn: pytest.WarningsRecorder) -> None:
    with short_console():
        warnings.warn('torch.meshgrid: in an upcoming release', UserWarning, stacklevel=1)
        warnings.warn('a value is wrong', UserWarning, stacklevel=1)
    assert [str(warning.message) for warning in recwarn] == ['a value is wrong']


lines = st.lists(st.sampled_from([*CHATTER, 'Done', 'loading', 'my line', '']), max_size=6)


@given(lines=lines, ends=st.booleans(), cuts=st.lists(st.integers(0, 200), max_size=8))
def test_only_whole_lines_are_left_out(lines: list[str], ends: bool, cuts: list[int]) -> None:
    """However the text is cut into writes."""
    text = '\n'.join(lines) + '\n' * ends
    target = io.StringIO()
    stream = WithoutChatter(target)
    places = [0, *sorted(cuts), len(text)]
    for start, stop in itertools.pairwise(places):
        stream.write(text[start:stop])
    stream.close_line()
    kept = [line for line in text.splitlines(keepends=True) if not line.startswith(CHATTER)]
    assert target.getvalue() == ''.join(kept)


def test_a_bar_is_seen_at_once() -> None:
    target = io.StringIO()
    with contextlib.redirect_stdout(WithoutChatter(target)):
        print('50 %', end='\r')
    assert target.getvalue() == '50 %\r'
