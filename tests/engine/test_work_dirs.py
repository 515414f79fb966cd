"""tools/train.py in work dirs that cannot be written to, are copied or not named."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from .tiny_runs import IMAGES, write_config, write_images
from .warm_tools import WarmTools


@pytest.fixture(scope='module')
def tools() -> Iterator[WarmTools]:
    tools = WarmTools()
    yield tools
    tools.close()


@pytest.fixture(scope='module')
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp('work_dirs')
    data = write_images(folder / 'data')
    return write_config(folder / 'mine.py', IMAGES, data, iterations=2, every=1)


def test_a_place_that_cannot_be_written_to(tools: WarmTools, config: Path, tmp_path: Path) -> None:
    log, work_dir = tmp_path / 'log.txt', tmp_path / 'file/work'
    (tmp_path / 'file').touch()
    assert tools.run('tools/train.py', config, '--work-dir', work_dir, output=log) == 2
    text = log.read_text()
    assert f'work_dir: {work_dir} cannot be written to (Not a directory)' in text
    assert 'Traceback' not in text and 'does not describe' not in text


def test_no_name_where_one_is_asked_for(tools: WarmTools, config: Path, tmp_path: Path) -> None:
    for options, message in (
        (['--resume', '', '--work-dir', tmp_path / 'work'], "--resume '' names no checkpoint"),
        (['--work-dir', ''], "--work-dir '' names no folder"),
        (
            ['--work-dir', tmp_path / 'work', '--cfg-options', 'load_from='],
            "load_from '' names no checkpoint",
        ),
    ):
        log = tmp_path / 'log.txt'
        log.unlink(missing_ok=True)
        assert tools.run('tools/train.py', config, *options, output=log) == 2, log.read_text()
        assert message in log.read_text() and 'Traceback' not in log.read_text()
    assert not (tmp_path / 'work').exists()


@pytest.mark.slow
def test_a_copy_goes_on_and_leaves_the_original_alone(
    tools: WarmTools, config: Path, tmp_path: Path
) -> None:
    log = tmp_path / 'log.txt'
    original, copy = tmp_path / 'original', tmp_path / 'copy'
    command = ('tools/train.py', config, '--work-dir')
    assert tools.run(*command, original, output=log) == 0, log.read_text()[-3000:]
    before = {path.name: path.read_bytes() for path in original.glob('*.pth')}
    assert any(name.startswith('best_') for name in before)
    shutil.copytree(original, copy)
    more = ('--resume', '--cfg-options', 'train_cfg.max_iters=4')
    log.unlink()
    assert tools.run(*command, copy, *more, output=log) == 0, log.read_text()[-3000:]
    assert f'resuming from {copy}/iter_2.pth' in log.read_text()
    assert (copy / 'iter_4.pth').exists()
    assert {path.name: path.read_bytes() for path in original.glob('*.pth')} == before
