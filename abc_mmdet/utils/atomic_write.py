"""Files that are there as a whole or not at all."""

from __future__ import annotations

import hashlib
import json
import math
import os
from collections.abc import Mapping
from contextlib import suppress
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PIL import Image

from abc_mmdet.errors import UserError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_PARTIAL = '.partial'

_LONGEST_NAME = 255
"""Bytes, on every file system in common use."""


def partial_path(path: Path, suffix: str = '') -> Path:
    """Where a file is written before it gets its name: hidden, beside it.

    A name that is too long with what is added to it becomes its hash: the file itself may have it.

    Args:
        path: of the file that is to be.
        suffix: what the name has to end in, for programs that look at it.
    """
    name = f'.{path.name}{_PARTIAL}{suffix}'
    if len(os.fsencode(name)) > _LONGEST_NAME:
        name = f'.{hashlib.sha256(os.fsencode(path.name)).hexdigest()}{_PARTIAL}{suffix}'
    return path.with_name(name)


def replace_file(path: Path, content: bytes) -> None:
    """Write a file under its name only when it is whole; an earlier one stays until then.

    It is on the disk, not in the system's memory, before the earlier one goes: a loss of power
    leaves one of the two.

    Raises:
        OSError: the place cannot be written to. Nothing is left behind.
    """
    partial = partial_path(path)
    try:
        with partial.open('wb') as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, path)
    except OSError:
        with suppress(OSError):
            partial.unlink()
        raise
    _flush_names(path.parent)


def _flush_names(folder: Path) -> None:
    with suppress(OSError):  # not every system can open a folder
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def remove_partial_files(folder: Path) -> list[Path]:
    """Clear away what a process that was killed in :func:`replace_file` has left; its paths."""
    left = sorted(folder.glob(f'.*{_PARTIAL}'))
    for path in left:
        path.unlink(missing_ok=True)
    return left


def atomic_write(path: Path, content: bytes) -> None:
    """:func:`replace_file` for what a user asked for; makes its folder.

    Raises:
        UserError: a place that cannot be written to.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_file(path, content)
    except OSError as error:
        raise UserError(f'cannot write {path}: {error.strerror}') from error


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """One line per key; the file is there as a whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [f' {json.dumps(key)}: {json.dumps(_plain(value))}' for key, value in content.items()]
    replace_file(path, ('{\n' + ',\n'.join(lines) + '\n}\n').encode())


def _plain(value: Any) -> Any:
    """No nan, which is no JSON; floats with six digits."""
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, float):
        return None if math.isnan(value) else float(f'{value:.6g}')
    return value


_DPI = 100


def write_figure(figure: Figure, path: Path) -> None:
    """As PNG; the file is there as a whole or not at all."""
    drawn, content = BytesIO(), BytesIO()
    figure.savefig(drawn, format='png', dpi=_DPI)
    # Lines need few colours, and the file is a third as large
    Image.open(drawn).convert('RGB').quantize(128).save(content, format='png', optimize=True)
    replace_file(path, content.getvalue())
