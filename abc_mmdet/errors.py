"""Mistakes that a user can mend."""

from __future__ import annotations

import os


class UserError(ValueError):
    """Something in a config, a file or a command line is wrong, and the user can put it right.

    The message says what is wrong, where (file, field, value) and what to do. Tools print it
    without a traceback and exit with code 2.

    Examples:
        >>> raise UserError('a.py: batch_size=0. Give 1 or more.')
        Traceback (most recent call last):
            ...
        abc_mmdet.errors.UserError: a.py: batch_size=0. Give 1 or more.
    """


def backslash_hint(path: str | os.PathLike[str]) -> str:
    """What to add to a message that there is no such file; empty if that is not why.

    Examples:
        >>> backslash_hint('train/a.jpg')
        ''
    """
    if os.sep == '\\' or '\\' not in str(path):
        return ''
    return ' It has backslashes, as paths on Windows have: write slashes (/) instead.'
