"""Events in NumPy's files: ``.npy`` and ``.npz``."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import numpy as np

from abc_mmdet.datasets.hdf5 import open_npz
from abc_mmdet.errors import UserError

from . import reader
from .columns import (
    NAMES,
    check_pixels,
    check_polarity,
    check_unit,
    column_names,
    columns_by_place,
    to_microseconds,
)
from .reader import Columns, EventReader, damage_is_named

_WHAT = 'a structured array with x, y, p and t, or (N, 4) numbers'


class ArrayReader(EventReader):
    """A structured array, or numbers ``(N, 4)``; in an ``.npz`` also four arrays by name.

    Names as in :data:`~.columns.NAMES`. The columns of ``(N, 4)`` are found by what stands in them.
    Times that are integers are microseconds, others seconds, unless ``time_unit`` says otherwise.
    There is no size of the sensor in such files.

    Examples:
        >>> np.save('walk.npy', [[0, 5, 9, 1], [70, 60, 2, 0], [500, 7, 3, 1]])
        >>> [len(chunk.t) for chunk in ArrayReader(Path('walk.npy')).chunks((64, 48))]
        [3]
    """

    def __init__(
        self, path: Path, size: tuple[int, int] | None = None, time_unit: str | None = None
    ) -> None:
        super().__init__(path, size, time_unit)
        with damage_is_named(path):
            first = next(self._blocks(), None)
        self._order: list[str] | None = None
        if isinstance(first, np.ndarray) and first.dtype.names is None and len(first):
            self._order = columns_by_place(first)
            if self._order is None:
                raise UserError(
                    f'{path}: it is not clear which of its four columns are x, y, polarity (0 and '
                    '1, or -1 and 1) and time (not decreasing). Save a structured array with the '
                    'fields x, y, p and t.'
                )
        self.unit = time_unit or 'us'
        if first is not None:
            t = self._raw(first)['t']
            if t.dtype.kind not in 'iuf':
                raise UserError(f'{path}: times are {t.dtype}, not numbers.')
            # NumPy has one type for all columns of (N, 4): times of integers may be floats there
            if self._order is not None and (t == np.rint(t)).all():
                t = t.astype(np.int64)
            self.unit = time_unit or check_unit(t, str(path))

    def chunks(self, size: tuple[int, int]) -> Iterator[Columns]:
        where = str(self.path)
        with damage_is_named(self.path):
            for block in self._blocks():
                found = self._raw(block)
                yield Columns(
                    check_pixels(found['x'], 'x', where),
                    check_pixels(found['y'], 'y', where),
                    check_polarity(found['p'], where),
                    to_microseconds(found['t'], self.unit, where),
                )

    def _raw(self, block: Any) -> dict[str, np.ndarray]:
        if self._order is not None:
            return {name: block[:, i] for i, name in enumerate(self._order)}
        names = column_names(block if isinstance(block, dict) else block.dtype.names or ())
        if names is None:  # an empty array of numbers
            return {name: np.empty(0, np.int64) for name in 'xypt'}
        return {name: block[given] for name, given in names.items()}

    def _blocks(self) -> Iterator[Any]:
        """Rows of the array, or a mapping of columns, :data:`~.reader.CHUNK` events at a time."""
        if self.path.suffix.lower() == '.npz':
            yield from _npz_blocks(self.path)
            return
        array = np.load(self.path, mmap_mode='r', allow_pickle=False)
        _check(array, self.path)
        _check_end(self.path, getattr(array, 'offset', 0) + array.nbytes)
        for start in range(0, len(array), reader.CHUNK):
            yield np.array(array[start : start + reader.CHUNK])


def _check(array: np.ndarray, path: Path) -> None:
    if array.dtype.names is not None:
        if array.ndim != 1 or column_names(array.dtype.names) is None:
            raise UserError(
                f'{path}: an array {array.shape} with the fields {list(array.dtype.names)} holds '
                f'no events. Give {_WHAT}.'
            )
    elif array.ndim != 2 or array.shape[1] != 4 or array.dtype.kind not in 'iuf':
        raise UserError(f'{path}: an array {array.shape} of {array.dtype}: give {_WHAT}.')


def _check_end(path: Path, end: int) -> None:
    """What a header does not tell of would be left out in silence."""
    rest = path.stat().st_size - end
    if rest:
        raise ValueError(f'{rest} bytes are behind its last event: its header tells another length')


def _npz_blocks(path: Path) -> Iterator[Any]:
    with zipfile.ZipFile(path) as archive:
        members = {name.removesuffix('.npy'): name for name in archive.namelist()}
        names = column_names(members)
        if names is None and len(members) != 1:
            known = '; '.join(f'{column}: {", ".join(known)}' for column, known in NAMES.items())
            raise UserError(
                f'{path} holds {", ".join(sorted(members)) or "nothing"}: events are four arrays '
                f'of these names ({known}), or one array alone.'
            )
        wanted = list(names.values()) if names else list(members)
        files = [archive.open(members[name]) for name in wanted]
        heads = [_head(file) for file in files]
        if names is None:
            (shape, is_fortran, dtype), (file,) = heads[0], files
            _check(np.empty((0, *shape[1:]), dtype), path)
            if is_fortran and len(shape) == 2:  # column by column: not to be read in pieces
                array = open_npz(path)[wanted[0]]
                for start in range(0, len(array), reader.CHUNK):
                    yield array[start : start + reader.CHUNK]
                return
            for length in _lengths(shape[0]):
                yield _read(file, dtype, (length, *shape[1:]))
            _check_read(files)
            return
        lengths = {name: shape for name, (shape, _, _) in zip(wanted, heads, strict=True)}
        if len(set(lengths.values())) != 1 or len(heads[0][0]) != 1:
            raise UserError(f'{path}: its arrays differ in length, or are no columns: {lengths}.')
        for length in _lengths(heads[0][0][0]):
            yield {
                name: _read(file, dtype, (length,))
                for name, file, (_, _, dtype) in zip(wanted, files, heads, strict=True)
            }
        _check_read(files)


def _check_read(files: list[IO[bytes]]) -> None:
    if any(file.read(1) for file in files):  # where their check sums are right, too
        raise ValueError('an array is longer than its header tells')


def _lengths(number: int) -> Iterator[int]:
    for start in range(0, number, reader.CHUNK):
        yield min(reader.CHUNK, number - start)


def _head(file: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype]:
    version = np.lib.format.read_magic(file)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else None
    shape, is_fortran, dtype = (read or np.lib.format.read_array_header_2_0)(file)
    if dtype.hasobject:
        raise ValueError('it holds Python objects')
    return shape, is_fortran, dtype


def _read(file: IO[bytes], dtype: np.dtype, shape: tuple[int, ...]) -> np.ndarray:
    number = int(np.prod(shape)) * dtype.itemsize
    content = file.read(number)
    if len(content) < number:
        raise ValueError('it ends before its last event')
    return np.frombuffer(content, dtype).reshape(shape)
