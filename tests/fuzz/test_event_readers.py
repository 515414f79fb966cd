"""Readers of recordings on files that are damaged, cut off or say something else than they hold."""

from __future__ import annotations

import io
import struct
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import h5py
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from abc_mmdet.datasets.events.readers import READERS, open_reader

from .case import cases, mutated, outcome, pick

SIZE = (32, 24)
NUMBER = 300
RNG = np.random.default_rng(0)
X, Y = RNG.integers(0, SIZE, (NUMBER, 2)).T
P = RNG.integers(0, 2, NUMBER)
T = 4096 + np.cumsum(RNG.integers(1, 60, NUMBER))
EVENTS = list(zip(X.tolist(), Y.tolist(), P.tolist(), T.tolist(), strict=True))
COLUMNS = dict(x=X.astype('u2'), y=Y.astype('u2'), p=P.astype('u1'), t=T)


class Whole(NamedTuple):
    """A file as it should be.

    Attributes:
        content: of it.
        word: bytes that are read as one, if it has no length and no end; 0 if it has.
        head: bytes before the first.
    """

    content: bytes
    word: int = 0
    head: int = 0


def rows(**kinds: str) -> np.ndarray:
    found = np.zeros(NUMBER, list(kinds.items()))
    for name in kinds:
        found[name] = COLUMNS[name]
    return found


def evt3() -> Iterator[int]:
    """Words of 16 bits: the upper and lower half of the time, the row, the column."""
    for x, y, p, t in EVENTS:
        yield from (0x8000 | t >> 12, 0x6000 | t & 0xFFF, y, 0x2000 | p << 11 | x)


@pytest.fixture(scope='module')
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Whole]:
    """By a name that ends in the suffix."""
    folder = tmp_path_factory.mktemp('whole')
    with h5py.File(folder / 'columns.h5', 'w') as file:
        for name, column in COLUMNS.items():
            file.create_dataset(f'events/{name}', data=column, chunks=(64,), compression='gzip')
        file['events/width'], file['events/height'] = SIZE
    with h5py.File(folder / 'metavision.hdf5', 'w') as file:
        file.attrs['geometry'] = '32x24'
        content = rows(x='<u2', y='<u2', p='<i2', t='<i8')
        file.create_dataset('CD/events', data=content, chunks=(64,), fletcher32=True)
    np.save(folder / 'rows.npy', rows(t='<i8', x='<u2', y='<u2', p='u1'))
    np.save(folder / 'numbers.npy', np.stack([T, X, Y, P], axis=1))
    np.savez(folder / 'columns.npz', **COLUMNS)
    np.savez_compressed(folder / 'rows.npz', events=rows(t='<i8', x='<u2', y='<u2', p='u1'))
    found = {path.name: Whole(path.read_bytes()) for path in folder.iterdir()}
    head = b'% Data file\n% Width 32\n% Height 24\n% Version 2\n'
    words = [struct.pack('<II', t, x | y << 14 | p << 28) for x, y, p, t in EVENTS]
    found['a.dat'] = Whole(head + b'\x0c\x08' + b''.join(words), 8, len(head) + 2)
    head = b'% evt 3.0\n% geometry 32x24\n% end\n'
    found['a.raw'] = Whole(head + np.array([*evt3()], '<u2').tobytes(), 2, len(head))
    try:
        import faery
    except ImportError:
        return found
    array = np.zeros(NUMBER, faery.EVENTS_DTYPE)
    for name, column in dict(COLUMNS, on=P).items():
        if name != 'p':
            array[name] = column
    faery.events_stream_from_array(array, SIZE).to_file(folder / 'a.aedat4')
    found['a.aedat4'] = Whole((folder / 'a.aedat4').read_bytes())
    return found


NAMES = [
    *('columns.h5', 'metavision.hdf5', 'rows.npy', 'numbers.npy', 'columns.npz', 'rows.npz'),
    *('a.dat', 'a.raw', 'a.aedat4'),
]
of_each_kind = pytest.mark.parametrize('name', NAMES)


def given_file(whole: dict[str, Whole], name: str) -> Whole:
    if name.startswith('a.'):
        pytest.importorskip('faery', reason='.raw, .dat and .aedat4 need the extra `events`')
    return whole[name]


def read(path: Path) -> tuple[list[tuple[int, ...]], list[str] | None]:
    """Events until the end or the message, and the remarks; None if it ended in a message."""
    found: list[tuple[int, ...]] = []

    def run() -> list[str]:
        reader, size = open_reader(path, SIZE)
        assert size == SIZE
        for chunk in reader.chunks(size):
            columns = [np.asarray(column) for column in chunk]
            assert all(column.shape == columns[3].shape for column in columns)
            assert all(column.dtype.kind in 'iub' for column in columns)
            found.extend(zip(*(column.tolist() for column in columns), strict=True))
        return reader.remarks

    return found, outcome(run, str(path))


@of_each_kind
def test_whole_files_are_read(name: str, whole: dict[str, Whole], tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes(given_file(whole, name).content)
    assert read(path) == (EVENTS, [])
    assert {Path(each).suffix for each in NAMES} == set(READERS)


@of_each_kind
@cases(0.02)
@given(data=st.data())
def test_files_that_are_cut_off(
    name: str, whole: dict[str, Whole], tmp_path: Path, data: st.DataObject
) -> None:
    """What lies before is read or nothing is, and that more is missing is said."""
    file = given_file(whole, name)
    length = data.draw(st.integers(0, len(file.content) - 1), label='length')
    path = tmp_path / name
    path.write_bytes(file.content[:length])
    found, remarks = read(path)
    assert found == EVENTS[: len(found)]
    if remarks is None:
        return
    if not file.word:
        assert remarks or found == EVENTS, 'it is said that something is missing'
    elif length > file.head:
        assert bool(remarks) == bool((length - file.head) % file.word)


@of_each_kind
@cases(0.02)
@given(data=st.data())
def test_files_that_go_on(
    name: str, whole: dict[str, Whole], tmp_path: Path, data: st.DataObject
) -> None:
    """Bytes behind the end are no events, where a file says how long it is."""
    file = given_file(whole, name)
    path = tmp_path / name
    path.write_bytes(file.content + data.draw(st.binary(min_size=1, max_size=40), label='more'))
    found, remarks = read(path)
    if not file.word:
        assert found in (EVENTS, []) and (remarks is None or remarks or found == EVENTS)


@of_each_kind
@cases(0.02)
@given(data=st.data())
def test_files_with_other_bytes(
    name: str, whole: dict[str, Whole], tmp_path: Path, data: st.DataObject
) -> None:
    """A message or events, of which there are no more than the file has room for."""
    path = tmp_path / name
    path.write_bytes(mutated(given_file(whole, name).content, data))
    found, _ = read(path)
    assert len(found) <= 20 * path.stat().st_size


@cases(0.02)
@given(data=st.data())
def test_headers_that_say_another_length(tmp_path: Path, data: st.DataObject) -> None:
    """Of an array that is longer than its header says, the rest would be left out in silence."""
    length = data.draw(st.integers(0, 2 * NUMBER), label='length')
    content = rows(t='<i8', x='<u2', y='<u2', p='u1')
    descr = np.lib.format.dtype_to_descr(content.dtype)
    buffer = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        buffer, dict(descr=descr, fortran_order=False, shape=(length,))
    )
    said = buffer.getvalue() + content.tobytes()
    path = tmp_path / pick(data, ['a.npy', 'a.npz'], 'kind')
    path.write_bytes(said)
    if path.suffix == '.npz':
        with zipfile.ZipFile(path, 'w') as archive:
            archive.writestr('events.npy', said)
    found, remarks = read(path)
    if length == NUMBER:
        assert (found, remarks) == (EVENTS, [])
    else:
        assert remarks is None or remarks, 'it is said'
        assert found == EVENTS[: len(found)]
