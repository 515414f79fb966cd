"""The forked Python does what one from scratch does."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from .warm_python import python

PROGRAMS = {
    'ends': ('print("out")', 0),
    'exit code': ('import sys; sys.exit(3)', 3),
    'exit message': ('import sys; print("out"); sys.exit("what is wrong")', 1),
    'exception': ('print("out"); 1 / 0', 1),
    'at exit': ('import atexit; atexit.register(print, "out")', 0),
    'threads end first': (
        'import threading, time\n'
        'threading.Thread(target=lambda: (time.sleep(0.2), print("late"))).start()',
        0,
    ),
    'signal': ('import os; os.kill(os.getpid(), 15)', -signal.SIGTERM),
    'interrupt': (  # which a run in the background is started to ignore
        'import os, signal; signal.signal(2, signal.default_int_handler); os.kill(os.getpid(), 2)',
        -signal.SIGINT,
    ),
    'what it is started with': (
        'import os, sys; print(sys.argv, os.getcwd(), os.environ["COLOUR"], sys.stdin.read())\n'
        'import helper; print(helper.__file__, __file__ if "__file__" in globals() else None)',
        0,
    ),
    'warnings': ('import warnings; warnings.warn("out"); print(__name__)', 0),
}


@pytest.fixture
def outcome(tmp_path: Path):
    (tmp_path / 'helper.py').touch()
    environment = {**os.environ, 'COLOUR': 'blue', 'PYTHONWARNINGS': ''}

    def run(program: str, *arguments: str) -> tuple[int, str, list[str]]:
        done = subprocess.run(
            [program, *arguments, 'one', '--two'],
            **dict(cwd=tmp_path, env=environment, input='typed', capture_output=True, text=True),
        )
        return done.returncode, done.stdout, done.stderr.splitlines()[-1:]

    return run


@pytest.mark.parametrize(('text', 'code'), PROGRAMS.values(), ids=PROGRAMS)
def test_like_a_python_from_scratch(outcome, tmp_path: Path, text: str, code: int) -> None:
    script = tmp_path / 'script.py'
    script.write_text(text)
    for command in (['-c', text], [str(script)], ['-W', 'ignore', '-m', 'script']):
        expected = outcome(sys.executable, *command)
        assert expected[0] == code
        assert outcome(python(), *command) == expected


def test_a_signal_reaches_it(tmp_path: Path) -> None:
    """And it dies with the program that stands for it."""
    text = """
import os, signal, time
signal.signal(signal.SIGTERM, lambda *_: print('told', flush=True))
print(os.getpid(), flush=True)
time.sleep(60)
"""
    with subprocess.Popen([python(), '-c', text], stdout=subprocess.PIPE, text=True) as process:
        pid = int(process.stdout.readline())
        process.terminate()
        assert process.stdout.readline() == 'told\n'
        assert psutil.pid_exists(pid)
        process.kill()
        assert process.wait() == -signal.SIGKILL
    deadline = time.monotonic() + 600
    while psutil.pid_exists(pid):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_no_two_draw_the_same_numbers() -> None:
    text = 'import numpy, random; print(numpy.random.rand(), random.random())'
    drawn = [subprocess.check_output([python(), '-c', text], text=True).split() for _ in range(2)]
    assert len({number for numbers in drawn for number in numbers}) == 4
