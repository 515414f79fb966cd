"""NumPy's files as recordings."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from abc_mmdet.datasets.events.readers import reader as reader_module
from abc_mmdet.datasets.events.readers.arrays import ArrayReader
from abc_mmdet.datasets.events.readers.columns import columns_by_place, columns_of
from abc_mmdet.errors import UserError

SIZE = (32, 24)
COUNT = 40
RNG = np.random.default_rng(0)
EVENTS = dict(
    x=RNG.integers(0, 32, COUNT),
    y=RNG.integers(0, 24, COUNT),
    p=RNG.integers(0, 2, COUNT),
    t=7_000_000_000 + np.cumsum(RNG.integers(1, 200, COUNT)),
)


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader_module, 'CHUNK', 7)


def read(path: Path, unit: str | None = None) -> dict[str, list]:
    chunks = list(ArrayReader(path, SIZE, unit).chunks(SIZE))
    assert all(len(chunk.t) <= 7 for chunk in chunks)
    return {k: np.concatenate([getattr(c, k) for c in chunks]).tolist() for k in 'xypt'}


EXPECTED = {name: column.tolist() for name, column in EVENTS.items()}


@pytest.mark.parametrize('order', ['txyp', 'xytp', 'xypt', 'pxyt'])
@pytest.mark.parametrize('kind', ['i8', 'f8'])
@pytest.mark.parametrize('is_fortran', [False, True], ids=['rows', 'columns'])
def test_four_columns(tmp_path: Path, order: str, kind: str, is_fortran: bool) -> None:
    rows = np.stack([EVENTS[name] for name in order], axis=1).astype(kind)
    rows = np.asarray(rows, order='F' if is_fortran else 'C')
    np.save(tmp_path / 'a.npy', rows)
    assert read(tmp_path / 'a.npy') == EXPECTED
    np.savez(tmp_path / 'a.npz', rows)
    assert read(tmp_path / 'a.npz') == EXPECTED


@pytest.mark.parametrize('save', [np.savez, np.savez_compressed])
def test_names(tmp_path: Path, save: Callable) -> None:
    kinds = [('timestamp', '<u8'), ('y', '<u2'), ('x', '<u2'), ('Polarity', 'i1')]
    rows = np.zeros(COUNT, kinds)
    rows['timestamp'], rows['x'], rows['y'] = EVENTS['t'], EVENTS['x'], EVENTS['y']
    rows['Polarity'] = EVENTS['p']
    np.save(tmp_path / 'a.npy', rows)
    save(tmp_path / 'one.npz', events=rows)
    save(tmp_path / 'four.npz', **{n: rows[n] for n in rows.dtype.names}, size=np.array(3))
    for name in ('a.npy', 'one.npz', 'four.npz'):
        assert read(tmp_path / name) == EXPECTED


class TestTimes:
    def save(self, path: Path, t: np.ndarray) -> Path:
        np.savez(path, **dict(EVENTS, t=t))
        return path

    @pytest.mark.parametrize('unit', ['us', 'ms', 's', 'ns'])
    def test_units(self, tmp_path: Path, unit: str) -> None:
        scale = dict(us=1, ms=1e-3, s=1e-6, ns=1000)[unit]
        t = EVENTS['t'] * scale
        path = self.save(tmp_path / 'a.npz', t if unit in ('ms', 's') else t.astype('u8'))
        assert read(path, unit) == EXPECTED
        if unit in ('us', 's'):
            assert read(path) == EXPECTED
        else:
            with pytest.raises(UserError, match=r'a\.npz: the unit .*not clear.*--time-unit'):
                read(path)

    def test_no_numbers(self, tmp_path: Path) -> None:
        t = EVENTS['t'] * 1e-6
        t[30] = np.nan
        with pytest.raises(UserError, match='times that are no numbers'):
            read(self.save(tmp_path / 'a.npz', t))
        with pytest.raises(UserError, match='times are <U3'):
            read(self.save(tmp_path / 'b.npz', np.full(COUNT, 'now')))
        with pytest.raises(UserError, match="time_unit='years'"):
            read(self.save(tmp_path / 'c.npz', EVENTS['t']), 'years')


def test_what_is_not_clear(tmp_path: Path) -> None:
    few = np.stack([EVENTS[name] for name in 'txyp'], axis=1)[:2]
    np.save(tmp_path / 'few.npy', few)
    with pytest.raises(UserError, match=r'few\.npy: it is not clear which'):
        read(tmp_path / 'few.npy')
    assert columns_by_place(np.zeros((9, 4), int)) is None, 'all of them may be polarities'
    both = np.stack([EVENTS['t'], EVENTS['t'], EVENTS['y'], EVENTS['p']], axis=1)
    assert columns_by_place(both) is None


def test_files_that_are_none(tmp_path: Path) -> None:
    path = tmp_path / 'a.npy'
    for content, message in (
        (np.zeros((5, 3)), r'an array \(5, 3\) of float64: give a structured array'),
        (np.zeros(5, [('x', 'i4')]), r"with the fields \['x'\] holds no events"),
    ):
        np.save(path, content)
        with pytest.raises(UserError, match=rf'a\.npy: .*{message}'):
            read(path)
    np.save(path, np.array([{}]), allow_pickle=True)
    with pytest.raises(UserError, match=r'a\.npy cannot be read'):
        read(path)
    whole = tmp_path / 'whole.npy'
    np.save(whole, np.stack([EVENTS[name] for name in 'txyp'], axis=1))
    path.write_bytes(whole.read_bytes()[:-100])
    with pytest.raises(UserError, match=r'a\.npy cannot be read: it is damaged'):
        read(path)
    archive = tmp_path / 'a.npz'
    np.savez(archive, x=EVENTS['x'], y=EVENTS['y'])
    with pytest.raises(UserError, match=r'a\.npz holds x, y: events are four arrays'):
        read(archive)
    np.savez(archive, **dict(EVENTS, x=EVENTS['x'][1:]))
    with pytest.raises(UserError, match=r'a\.npz: its arrays differ in length'):
        read(archive)
    np.savez(archive, **dict(EVENTS, x=EVENTS['x'] + 0.5))
    with pytest.raises(UserError, match='x is no whole pixel everywhere'):
        read(archive)
    np.savez(archive, **dict(EVENTS, p=np.full(COUNT, 'on')))
    with pytest.raises(UserError, match='polarities are <U2'):
        read(archive)


def test_the_real_windows_of_pedro(camera_files: Path) -> None:
    """Columns t, x, y, p of the DAVIS346, as its README says; counts as well."""
    folder = camera_files / 'pedro/val'
    counts = dict(frame0000009=17043, frame0000092=11136, frame0001566=17691)
    if not folder.is_dir():
        pytest.skip('no recordings of PEDRo: ABC_EVENT_RECORDINGS names the folder')
    for name, count in counts.items():
        path = folder / f'{name}.npy'
        found = read(path)
        rows = np.load(path)
        assert len(found['t']) == count
        assert [found[k] for k in 'txyp'] == rows.T.tolist()


class TestLiveChunks:
    def test_polarity_and_length_are_checked(self) -> None:
        with pytest.raises(UserError, match=r'have the shapes \(1,\), \(2,\)'):
            columns_of(([1], [1, 2], [0], [5]))
        with pytest.raises(UserError, match=r"have the fields \['x', 'y', 't'\]"):
            columns_of(dict(x=[1], y=[1], t=[5]))
        with pytest.raises(UserError, match='times have fractions'):
            columns_of(([1], [1], [0], [0.25]))
        assert len(columns_of(([], [], [], [])).t) == 0

    @given(st.lists(st.integers(-(2**40), 2**40), max_size=20))
    def test_microseconds_as_they_are(self, times: list[int]) -> None:
        zeros = np.zeros(len(times), int)
        assert columns_of((zeros, zeros, zeros, np.array(times, 'i8'))).t.tolist() == times
        nano = columns_of((zeros, zeros, zeros, np.array(times, 'i8')), 'ns').t
        assert nano.tolist() == [time // 1000 for time in times]
