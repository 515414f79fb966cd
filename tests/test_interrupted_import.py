"""Ctrl-C while a tool is still importing."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize('tool', ['train.py', 'test.py'])
def test_a_word_in_place_of_a_traceback(tool: str, tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, ROOT / 'tools' / tool, 'none.py', 'none.pth'][: 3 + (tool == 'test.py')],
        **dict(stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=tmp_path),
        # Where these tests run in the background, Ctrl-C is ignored, and children inherit that
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    maps = Path('/proc', str(process.pid), 'maps')
    while process.poll() is None and 'libtorch_python' not in maps.read_text():
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=120)
    assert process.returncode == -signal.SIGINT
    assert said.strip().splitlines()[-1] == 'interrupted' and 'Traceback' not in said
