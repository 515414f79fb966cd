"""The zip archive that ``torch.save`` writes, seen from outside: its list of entries."""

from __future__ import annotations

import os
import zipfile
from pathlib import Path
from typing import Any

from abc_mmdet.errors import UserError

COMPRESSED = 10
"""How many times larger than the file its content may be; ``torch.save`` does not compress."""


def check_archive(f: Any, name: str) -> None:
    """Refuse archives that PyTorch would take for programs, or that fill the memory.

    Only the list of entries is read. An entry that is listed a thousand times is unpacked a
    thousand times, by checksums too, so what counts is the size of the file, not that of the
    entries.

    Args:
        f: a path or an open file, which is at its beginning afterwards.
        name: of the file, for the message.

    Raises:
        UserError: such an archive.
    """
    if not zipfile.is_zipfile(f):
        _rewind(f)
        return
    try:
        with zipfile.ZipFile(f) as archive:
            entries = archive.infolist()
    except zipfile.BadZipFile:  # damaged, as whoever reads it will say
        entries = []
    size = _size(f)
    _rewind(f)
    if any(entry.filename.endswith('/constants.pkl') for entry in entries):
        raise UserError(
            f'{name} is a TorchScript program, which brings its own code: give a checkpoint with '
            'a state_dict.'
        )
    unpacked = sum(entry.file_size for entry in entries)
    if unpacked > COMPRESSED * size + 2**20:
        raise UserError(
            f'{name} would become {unpacked / 2**30:.1f} GiB when it is unpacked, from '
            f'{size / 2**20:.1f} MiB: no checkpoint is compressed like this.'
        )


def is_whole(path: Path) -> bool:
    """Whether a checkpoint is as it was written: reads all of it and compares its checksums."""
    try:
        check_archive(path, str(path))
        with zipfile.ZipFile(path) as archive:
            return archive.testzip() is None
    except (OSError, zipfile.BadZipFile, EOFError, ValueError):
        return False


def _size(f: Any) -> int:
    if isinstance(f, (str, Path)):
        return os.path.getsize(f)
    f.seek(0, os.SEEK_END)
    return int(f.tell())


def _rewind(f: Any) -> None:
    if not isinstance(f, (str, Path)):
        f.seek(0)
