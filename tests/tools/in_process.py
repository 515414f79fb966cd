"""Tools without a process of their own, which takes seconds to start."""

import runpy
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def run_in_process(
    tool: str,
    arguments: tuple[object, ...],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture,
) -> tuple[int, str, str]:
    """Exit code, output and errors of a tool, which is named from the root."""
    monkeypatch.setattr(sys, 'argv', [str(ROOT / tool), *map(str, arguments)])
    code = 0
    try:
        runpy.run_path(str(ROOT / tool), run_name='__main__')
    except SystemExit as stop:
        code = int(stop.code or 0)
    return code, *capsys.readouterr()
