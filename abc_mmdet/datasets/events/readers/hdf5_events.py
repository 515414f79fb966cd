"""Events in HDF5 files: columns (eTraM, 1 Mpx, Gen1, DSEC) or the rows of Metavision (FRED)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import h5py
import hdf5plugin  # noqa: F401  registers the Blosc filter that recordings are compressed with
import numpy as np

from abc_mmdet.datasets.hdf5 import check_expansion, own_dataset
from abc_mmdet.errors import UserError

from . import reader
from .reader import Columns, EventReader, damage_is_named

DSEC_SIZE = (640, 480)
"""Sensor of DSEC's event cameras (Gehrig et al., RA-L 2021); its files do not tell."""

ROWS = 'CD/events'
"""Where Metavision's files have their events: x, y, p and t of each."""

ECF = 0x8ECF
"""Number of the filter that Metavision packs events with."""


class HDF5Reader(EventReader):
    """The group ``events`` with the columns ``x``, ``y``, ``p`` and ``t`` (µs), or :data:`ROWS`.

    The first has eventually ``events/width`` and ``events/height``. Files of DSEC are told by
    ``ms_to_idx`` and ``t_offset`` beside the group; times count from the latter, and are taken as
    they are.

    Metavision's files (:data:`ROWS`) have attributes: ``geometry`` is the size, and
    ``time_shift``, if there is one, is subtracted from times, as Prophesee's own reader does
    (github.com/prophesee-ai/openeb, ``hdf5_event_file_reader.cpp``). They are packed with
    :data:`ECF`, for which HDF5 needs a plugin.

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
            self.size = _events(file, path).size

    def chunks(self, size: tuple[int, int]) -> Iterator[Columns]:
        with damage_is_named(self.path), h5py.File(self.path) as file:
            events = _events(file, self.path)
            for start in range(0, events.number, reader.CHUNK):
                yield events.read(slice(start, start + reader.CHUNK))


class _Events(NamedTuple):
    number: int
    read: Callable[[slice], Columns]
    size: tuple[int, int] | None


def _events(file: h5py.File, path: Path) -> _Events:
    return _rows(file, path) if 'CD' in file and 'events' not in file else _columns(file, path)


def _columns(file: h5py.File, path: Path) -> _Events:
    columns: dict[str, h5py.Dataset] = {}
    for k in 'xypt':
        column = own_dataset(file, f'events/{k}', 'iubf' if k == 'p' else 'iu')
        if column is None:
            raise UserError(f'{path}: it has no dataset events/{k}, and no {ROWS}.')
        if column.ndim != 1:
            raise UserError(f'{path}: events/{k} has {column.ndim} dimensions, not one.')
        check_expansion(column, f'events/{k}')
        columns[k] = column
    lengths = {k: len(column) for k, column in columns.items()}
    if len(set(lengths.values())) > 1:
        raise UserError(f'{path}: the columns of events differ in length: {lengths}.')

    def read(part: slice) -> Columns:
        return Columns(*(columns[name][part] for name in 'xypt'))

    return _Events(lengths['t'], read, _size(file, path))


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


def _rows(file: h5py.File, path: Path) -> _Events:
    rows = own_dataset(file, ROWS, 'V', largest=32)
    fields = {} if rows is None else dict(rows.dtype.fields or {})
    kinds = {k: fields[k][0].kind if k in fields else 'none' for k in 'xypt'}
    if rows is None or rows.ndim != 1 or any(k not in 'iu' for k in kinds.values()):
        raise UserError(f'{path} has no list {ROWS} of the whole numbers x, y, p and t.')
    check_expansion(rows, ROWS)
    plan = rows.id.get_create_plist()
    filters = {plan.get_filter(i)[0] for i in range(plan.get_nfilters())}
    if ECF in filters and not h5py.h5z.filter_avail(ECF):
        raise UserError(
            f'{path} is packed with ECF, which HDF5 reads with a plugin of Prophesee '
            '(github.com/prophesee-ai/hdf5_ecf): build it and name its folder in the variable '
            'HDF5_PLUGIN_PATH, or give the .raw file that it was made from.'
        )
    shift = _attribute(file, 'time_shift', r'-?\d{1,18}', path)
    geometry = _attribute(file, 'geometry', r'\d{1,9}x\d{1,9}', path)
    width, _, height = (geometry or '').partition('x')

    def read(part: slice) -> Columns:
        events = rows[part]
        t = events['t'] if shift is None else events['t'].astype(np.int64) - int(shift)
        return Columns(events['x'], events['y'], events['p'], t)

    return _Events(len(rows), read, (int(width), int(height)) if geometry else None)


def _attribute(file: h5py.File, name: str, pattern: str, path: Path) -> str | None:
    """The text of an attribute of the file; None if it has none."""
    if name not in file.attrs:
        return None
    value = file.attrs[name]
    text = value.decode(errors='replace') if isinstance(value, bytes) else str(value)
    if not re.fullmatch(pattern, text.strip(), re.ASCII):
        raise UserError(f'{path}: its attribute {name} is {text[:60]!r}.')
    return text.strip()
