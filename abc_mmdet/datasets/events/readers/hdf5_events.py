"""Events as columns of an HDF5 file: eTraM, 1 Mpx, Gen1 and DSEC."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import h5py
import hdf5plugin  # noqa: F401  registers the Blosc filter that recordings are compressed with
import numpy as np

from abc_mmdet.datasets.hdf5 import check_expansion, own_dataset
from abc_mmdet.errors import UserError

from . import reader
from .reader import Columns, EventReader, damage_is_named

DSEC_SIZE = (640, 480)
"""Sensor of DSEC's event cameras (Gehrig et al., RA-L 2021); its files do not tell."""


class HDF5Reader(EventReader):
    """The group ``events`` with the columns ``x``, ``y``, ``p`` and ``t`` (µs).

    Eventually ``events/width`` and ``events/height``. Files of DSEC are told by ``ms_to_idx`` and
    ``t_offset`` beside the group; times count from the latter, and are taken as they are.

    Examples:
        >>> with h5py.File('street_td.h5', 'w') as file:
        ...     file['events/height'], file['events/width'] = 48, 64
        ...     for name in 'xypt':
        ...         file['events/' + name] = [0, 1]
        >>> HDF5Reader(Path('street_td.h5')).size
        (64, 48)
    """

    def __init__(
        self, path: Path, size: tuple[int, int] | None = None, time_unit: str | None = None
    ) -> None:
        super().__init__(path, size, time_unit)
        with damage_is_named(path), h5py.File(path) as file:
            lengths = {k: len(column) for k, column in _columns(file, path).items()}
            if len(set(lengths.values())) > 1:
                raise UserError(f'{path}: the columns of events differ in length: {lengths}.')
            self.size = _size(file, path)

    def chunks(self, size: tuple[int, int]) -> Iterator[Columns]:
        with damage_is_named(self.path), h5py.File(self.path) as file:
            columns = _columns(file, self.path)
            for start in range(0, len(columns['t']), reader.CHUNK):
                part = slice(start, start + reader.CHUNK)
                yield Columns(*(columns[name][part] for name in 'xypt'))


def _columns(file: h5py.File, path: Path) -> dict[str, h5py.Dataset]:
    if 'CD' in file and 'events' not in file:
        raise UserError(
            f"{path} is an HDF5 file of Prophesee's Metavision (CD/events, codec ECF), which is "
            'not read here: give the .raw file that it was made from.'
        )
    columns = {k: own_dataset(file, f'events/{k}', 'iubf' if k == 'p' else 'iu') for k in 'xypt'}
    for k, column in columns.items():
        if column is None:
            raise UserError(f'{path}: it has no dataset events/{k}.')
        if column.ndim != 1:
            raise UserError(f'{path}: events/{k} has {column.ndim} dimensions, not one.')
        check_expansion(column, f'events/{k}')
    return columns


def _size(file: h5py.File, path: Path) -> tuple[int, int] | None:
    sides = [own_dataset(file, f'events/{side}', 'iuf') for side in ('width', 'height')]
    given = [side for side in sides if side is not None]
    if len(given) < len(sides):
        return DSEC_SIZE if 'ms_to_idx' in file and 't_offset' in file else None
    if any(side.size != 1 for side in given):
        raise UserError(f'{path}: events/width and events/height are not one number each.')
    width, height = (float(np.ravel(side[()])[0]) for side in given)
    if not (width.is_integer() and height.is_integer()):
        raise UserError(f'{path}: a sensor of {width}x{height} pixels.')
    return int(width), int(height)
