"""Paths as Windows writes them."""

from __future__ import annotations

import os


def backslash_hint(path: str | os.PathLike[str]) -> str:
    """What to add to a message that there is no such file; empty if that is not why.

    Example:
        >>> backslash_hint('train/a.jpg')
        ''
    """
    if os.sep == '\\' or '\\' not in str(path):
        return ''
    return ' It has backslashes, as paths on Windows have: write slashes (/) instead.'
