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

MINE = """
import abc_mmdet, mmcv.ops, mmdet.datasets, mmdet.models, mmengine.logging, signal, sys
from mmdet.registry import MODELS
print(mmengine.logging.print_log.__module__)
print(signal.getsignal(signal.SIGINT) is signal.default_int_handler)
print(sys.excepthook is sys.__excepthook__)
print(MODELS.get('YOLOXHead').__name__)
"""


def test_a_program_of_somebody_else_keeps_its_ways(tmp_path: Path) -> None:
    """The import is silent, nothing stays changed by it, and it leaves Ctrl-C alone."""
    (tmp_path / 'mine.py').write_text(MINE)
    done = subprocess.run(
        [sys.executable, tmp_path / 'mine.py'],
        **dict(capture_output=True, text=True),
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ['mmengine.logging.logger', 'True', 'True', 'YOLOXHead']


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
USUAL = ('tools/train.py', 'tools/infer.py', 'abc_mmdet.doctor')
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


@pytest.mark.parametrize(
    'program', [p if p in USUAL else pytest.param(p, marks=pytest.mark.slow) for p in PROGRAMS]
)
def test_a_word_in_place_of_a_traceback(program: str, tmp_path: Path) -> None:
    code, said = interrupt(program, tmp_path)
    assert code == -signal.SIGINT, said  # which a shell calls 130
    assert said.strip().splitlines()[-1] == 'interrupted' and 'Traceback' not in said
