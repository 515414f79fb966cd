"""Importing the package says nothing; what is worth saying is said."""

import logging
import subprocess
import sys

import mmengine.logging
import pytest

from abc_mmdet.import_messages import no_debug_prints


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
