"""Numbers on the command line, within bounds."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

MOST = 2**31 - 1
"""What fits into the integers of every library here."""


def whole_number(text: str) -> int:
    """For ``type=`` of an argparse argument: a whole number of a size that can be counted with.

    Python's own have no bound: 10**400 passes ``int``, and breaks whatever computes with it later.
    """
    return _bounded(int, 'whole number', text)


def real_number(text: str) -> float:
    """The same for any number; neither infinity nor nan is one."""
    return _bounded(float, 'number', text)


def _bounded(kind: Callable[[str], Any], name: str, text: str) -> Any:
    try:
        value = kind(text)
        if abs(value) <= MOST:
            return value
    except ValueError:
        raise argparse.ArgumentTypeError(f'{text[:40]!r} is no {name}') from None
    raise argparse.ArgumentTypeError(f'{text[:40]} is too large')
