"""Files that are there as a whole or not at all."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from abc_mmdet.errors import UserError


def replace_file(path: Path, content: bytes) -> None:
    """Write a file under its name only when it is whole; an earlier one stays until then.

    Raises:
        OSError: the place cannot be written to. Nothing is left behind.
    """
    partial = path.with_name(f'.{path.name}.partial')
    try:
        partial.write_bytes(content)
        os.replace(partial, path)
    except OSError:
        with suppress(OSError):
            partial.unlink()
        raise


def write_whole(path: Path, content: bytes) -> None:
    """:func:`replace_file` for what a user asked for; makes its folder.

    Raises:
        UserError: a place that cannot be written to.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_file(path, content)
    except OSError as error:
        raise UserError(f'cannot write {path}: {error.strerror}') from error
