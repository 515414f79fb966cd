"""HDF5 files: reading those that somebody else may have made, writing on a disk that may be full.

A file of a few kilobytes can declare terabytes, chunks that fill the memory, and data that lies in
any other file of the machine. Recordings need none of it.
"""

from __future__ import annotations

import errno
import re
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py
import numpy as np

LARGEST_CHUNK = 1 << 28
"""Bytes that are unpacked at once; RVT's are a twentieth of it at the full size of 1 Mpx."""

LARGEST_EXPANSION = 1000
"""How many times larger than on disk a column may be, if it is above :data:`ALWAYS_FINE`."""

ALWAYS_FINE = 1 << 30
"""Bytes of a column that may be declared, however few are on disk."""

_NO_COMPRESSION = (h5py.h5z.FILTER_SHUFFLE, h5py.h5z.FILTER_FLETCHER32)


def own_dataset(
    group: h5py.Group, name: str, kinds: str = 'iu', largest: int = 8
) -> h5py.Dataset | None:
    """A data set of numbers that lies in this file, in pieces that can be read; None if not there.

    Args:
        group: a file or group.
        name: path of the data set below it.
        kinds: kinds of NumPy types that are allowed.
        largest: bytes of a value.

    Raises:
        ValueError: anything else.
    """
    item: Any = group
    for part in name.split('/'):
        if not isinstance(item, h5py.Group):
            raise ValueError(f'{name}: what should be a group is a data set')
        link = item.get(part, getlink=True)
        if link is None:
            return None
        if not isinstance(link, h5py.HardLink):
            raise ValueError(f'{name} is a link to {getattr(link, "filename", "")}:{link.path}')
        item = item[part]
    if not isinstance(item, h5py.Dataset):
        raise ValueError(f'{name} is no data set')
    if item.external or item.is_virtual:
        raise ValueError(f'{name} lies in other files')
    if item.shape is None or item.dtype.kind not in kinds or item.dtype.itemsize > largest:
        raise ValueError(f'{name} holds {item.dtype}, not the numbers expected')
    _check_chunks(item, name)
    return item


def _check_chunks(data: h5py.Dataset, name: str) -> None:
    size = data.dtype.itemsize
    for side in data.chunks or ():
        size *= side
    if data.chunks and size > LARGEST_CHUNK:
        raise ValueError(f'{name} is packed in chunks of {size:,} bytes')
    plan = data.id.get_create_plist()
    filters = [plan.get_filter(i)[0] for i in range(plan.get_nfilters())]
    if sum(code not in _NO_COMPRESSION for code in filters) > 1:
        raise ValueError(f'{name} is compressed more than once (filters {filters})')


def open_npz(path: Path) -> Any:
    """``np.load`` of an archive whose arrays, unpacked, are not above :data:`ALWAYS_FINE` bytes."""
    with zipfile.ZipFile(path) as archive:
        size = sum(entry.file_size for entry in archive.infolist())
    if size > ALWAYS_FINE:
        raise ValueError(f'it would become {size:,} bytes when it is unpacked')
    return np.load(path)


def check_expansion(data: h5py.Dataset, name: str) -> None:
    """Raise ``ValueError`` if a column declares far more than the file holds."""
    declared, stored = data.size * data.dtype.itemsize, data.id.get_storage_size()
    if declared > max(ALWAYS_FINE, LARGEST_EXPANSION * stored):
        raise ValueError(f'{name} declares {declared:,} bytes, and the file holds {stored:,} of it')


NO_ROOM = (errno.ENOSPC, errno.EFBIG, errno.EDQUOT)
"""Errors after which nothing more can be written."""

_REASON = re.compile(r"errno = (\d+), error message = '(.+?)'")


@contextmanager
def failed_writes() -> Iterator[None]:
    """While a file is written: what h5py makes of a failure becomes the ``OSError`` that it is.

    On a full disk h5py also fails to close the file, and makes a RuntimeError of that. The process
    does not survive it for long: HDF5 crashes when it ends. So write in a process of its own.
    """
    try:
        yield
    except (OSError, RuntimeError) as error:
        reason = _REASON.search(str(error))
        if reason is None:
            raise
        raise OSError(int(reason[1]), reason[2]) from error
