"""Readers of event recordings, by the suffix of the file."""

from __future__ import annotations

from pathlib import Path

from abc_mmdet.errors import UserError

from .arrays import ArrayReader
from .camera_files import CameraFileReader
from .columns import TIME_UNITS, columns_of, on_sensor
from .hdf5_events import HDF5Reader
from .reader import Columns, EventReader

READERS: dict[str, type[EventReader]] = {
    '.raw': CameraFileReader,
    '.dat': CameraFileReader,
    '.aedat4': CameraFileReader,
    '.h5': HDF5Reader,
    '.hdf5': HDF5Reader,
    '.npy': ArrayReader,
    '.npz': ArrayReader,
}
"""Suffixes of files and what reads them."""

LARGEST_SIDE = 4096
"""Pixels of a sensor; a representation of 10 bins is then 320 MB."""


def open_reader(
    path: Path,
    size: tuple[int, int] | None = None,
    time_unit: str | None = None,
    default_size: tuple[int, int] | None = None,
) -> tuple[EventReader, tuple[int, int]]:
    """A reader of a recording, and the width and height of its sensor.

    Args:
        path: of the file.
        size: of the sensor; None takes it from the file.
        time_unit: of the times in an array, ``us``, ``ms``, ``s`` or ``ns``; others have
            microseconds.
        default_size: where the file does not tell.

    Raises:
        UserError: a file that is missing, of another kind, damaged, or has no size or one above
            :data:`LARGEST_SIDE`.
    """
    if not path.is_file():
        raise UserError(f'{path}: there is no such recording.')
    reader = READERS.get(path.suffix.lower())
    if reader is None:
        *others, last = READERS
        raise UserError(f'{path}: recordings end in {", ".join(others)} or {last}.')
    if time_unit is not None and time_unit not in TIME_UNITS:
        raise UserError(f'time_unit={time_unit!r}: give one of {", ".join(TIME_UNITS)}.')
    opened = reader(path, size, time_unit)
    return opened, known_size(path, size, opened.size, default_size)


def known_size(path: Path, *sizes: tuple[int, int] | None) -> tuple[int, int]:
    """The first width and height of a sensor that is known.

    Raises:
        UserError: none is, or it has sides of 0 or above :data:`LARGEST_SIDE`.
    """
    known = next((size for size in sizes if size is not None), None)
    if known is None:
        raise UserError(
            f'{path} does not say how large its sensor is: give --size WxH, in Python '
            'size=(width, height).'
        )
    if not all(1 <= side <= LARGEST_SIDE for side in known):
        raise UserError(
            f'{path}: a sensor of {known[0]}x{known[1]} pixels; sides are from 1 to '
            f'{LARGEST_SIDE}. Where the file tells wrong, give --size WxH.'
        )
    return known


__all__ = [
    'LARGEST_SIDE',
    'READERS',
    'TIME_UNITS',
    'Columns',
    'EventReader',
    'columns_of',
    'known_size',
    'on_sensor',
    'open_reader',
]
