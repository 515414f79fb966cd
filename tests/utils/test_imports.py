"""Importing the package says nothing; what is worth saying is said."""

import logging
import signal
import subprocess
import sys
import time
from pathlib import Path

import mmengine.logging
import pytest

from abc_mmdet.utils.imports import no_debug_prints


def test_the_import_is_silent() -> None:
    program = (
        'import abc_mmdet, mmdet.datasets, mmengine.logging as l; print(l.print_log.__module__)'
    )
    done = subprocess.run([sys.executable, '-c', program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout == 'mmengine.logging.logger\n', 'and nothing stays changed'


def test_only_debugging_without_a_logger(capsys: pytest.CaptureFixture) -> None:
    before = mmengine.logging.print_log
    with no_debug_prints():
        mmengine.logging.print_log('for debugging', level=logging.DEBUG)
        mmengine.logging.print_log('for all')
        mmengine.logging.print_log('silenced', 'silent')
    assert mmengine.logging.print_log is before
    assert capsys.readouterr().out == 'for all\n'


ROOT = Path(__file__).parents[2]


PROGRAMS = [
    *sorted(str(path.relative_to(ROOT)) for path in (ROOT / 'tools').rglob('*.py')),
    *('abc_mmdet.doctor', 'abc_mmdet.mmdet_tool', 'abc_mmdet.study.run'),
]
LIBRARY = 'libtorch_python'


def interrupt(program: str, folder: Path) -> tuple[int, str]:
    """Ctrl-C as soon as the program has begun to import PyTorch; exit code and what it said."""
    is_module = program.startswith('abc_mmdet')
    words = ['-m', program] if is_module else [ROOT / program, 'none', 'none']
    process = subprocess.Popen(
        [sys.executable, *words],
        **dict(stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=folder),
        # Where these tests run in the background, Ctrl-C is ignored, and children inherit that
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    maps = Path('/proc', str(process.pid), 'maps')
    while process.poll() is None and LIBRARY not in maps.read_text():
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=300)
    return process.returncode, said


@pytest.mark.parametrize('program', PROGRAMS)
def test_a_word_in_place_of_a_traceback(program: str, tmp_path: Path) -> None:
    code, said = interrupt(program, tmp_path)
    assert code == -signal.SIGINT, said  # which a shell calls 130
    assert said.strip().splitlines()[-1] == 'interrupted' and 'Traceback' not in said


def test_a_program_of_somebody_else_keeps_its_ways(tmp_path: Path) -> None:
    """Importing the package leaves Ctrl-C alone."""
    program = (
        'import abc_mmdet, signal, sys; '
        'print(signal.getsignal(signal.SIGINT) is signal.default_int_handler, '
        'sys.excepthook is sys.__excepthook__)'
    )
    (tmp_path / 'mine.py').write_text(program)
    result = subprocess.run(
        [sys.executable, tmp_path / 'mine.py'],
        **dict(capture_output=True, text=True, check=True),
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    assert result.stdout == 'True True\n'
