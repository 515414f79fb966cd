"""Reading recordings, chunk by chunk, and cutting them into windows."""

import json
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from abc_mmdet.datasets.events.readers import reader as reader_module
from abc_mmdet.datasets.events.recording import Recording
from abc_mmdet.datasets.events.stacked_histogram import StackedHistogram
from abc_mmdet.errors import UserError

Events = dict[str, np.ndarray]


def all_of(recording: Recording) -> Events:
    chunks = list(recording.chunks())
    return {name: np.concatenate([chunk[name] for chunk in chunks]) for name in 'xypt'}


@pytest.fixture
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader_module, 'CHUNK', 3)


@pytest.mark.usefixtures('small_chunks')
class TestColumns:
    def test_times_never_decrease_also_from_chunk_to_chunk(
        self, write_events: Callable, tmp_path: Path
    ) -> None:
        t = np.array([5, 4, 9, 7, 8, 9, 12, 11], np.int64)
        nothing = np.zeros(8, np.uint16)
        path = write_events(tmp_path / 'a.h5', dict(x=nothing, y=nothing, p=nothing, t=t))
        recording = Recording(path, (4, 3))
        assert all_of(recording)['t'].tolist() == [5, 5, 9, 9, 9, 9, 12, 12]
        assert recording.num_late == 4
        assert recording.num_events == 8 and recording.num_outside == 0

    @pytest.mark.parametrize('kind', ['i1', 'i8', 'f4'])
    def test_polarity_of_minus_one(self, write_events: Callable, tmp_path: Path, kind: str) -> None:
        p = np.array([-1, 1, 0, 1, -1, 1, 1]).astype(kind)
        zeros = np.zeros(7, np.int64)
        path = write_events(tmp_path / 'a.h5', dict(x=zeros, y=zeros, p=p, t=zeros))
        events = all_of(Recording(path, (4, 3)))
        assert events['p'].dtype == np.uint8
        assert events['p'].tolist() == [0, 1, 0, 1, 0, 1, 1]

    def test_events_outside_are_left_out_and_counted(
        self, write_events: Callable, tmp_path: Path
    ) -> None:
        x = np.array([0, 3, 4, -1, 2, 9, 9, 9, 1], np.int32)
        y = np.array([0, 2, 0, 0, 3, 9, 9, 9, 1], np.int32)
        events = dict(x=x, y=y, p=x * 0, t=np.arange(9))
        recording = Recording(write_events(tmp_path / 'a.h5', events), (4, 3))
        kept = all_of(recording)
        assert kept['x'].tolist() == [0, 3, 1] and kept['y'].tolist() == [0, 2, 1]
        assert kept['t'].tolist() == [0, 1, 8]
        assert (recording.num_events, recording.num_outside) == (9, 6)


def test_size_of_the_sensor(write_events: Callable, tmp_path: Path) -> None:
    events = {name: np.zeros(2, np.uint16) for name in 'xypt'}
    told = write_events(tmp_path / 'told.h5', events, (64, 48))
    untold = write_events(tmp_path / 'untold.h5', events)
    assert Recording(told, default_size=(1, 1)).size == (64, 48)
    assert Recording(told, size=(70, 50)).size == (70, 50)
    assert Recording(untold, default_size=(304, 240)).size == (304, 240)
    with pytest.raises(UserError, match=r'untold.h5 does not say .* --size'):
        Recording(untold)
    with h5py.File(told, 'a') as file:  # as arrays of one number
        del file['events/width'], file['events/height']
        file['events/width'], file['events/height'] = np.array([80]), np.array([60], 'u2')
    assert Recording(told).size == (80, 60)


@given(
    st.lists(st.integers(0, 12), max_size=30),
    st.lists(st.integers(1, 14), min_size=1, max_size=8, unique=True),
    st.integers(1, 8),
    st.integers(1, 6),
)
def test_windows(
    tmp_path_factory: pytest.TempPathFactory,
    write_events: Callable,
    times: list[int],
    ends: list[int],
    length: int,
    chunk: int,
) -> None:
    number = len(times)
    x, y = np.arange(number, dtype=np.uint16), np.arange(number, dtype=np.uint16) % 5
    events = dict(x=x, y=y, p=(x % 2).astype(np.uint8), t=np.array(times, np.int64))
    path = tmp_path_factory.getbasetemp() / 'windows.h5'
    recording = Recording(write_events(path, events), (26, 4))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reader_module, 'CHUNK', chunk)
        given_out = list(recording.windows(np.sort(ends), length))
    latest, expected, in_windows = 0, [[] for _ in ends], 0
    for i, time in enumerate(times):
        latest = max(latest, time)
        if x[i] >= 26 or y[i] >= 4:
            continue
        hits = [k for k, end in enumerate(sorted(ends)) if end - length <= latest <= end]
        in_windows += bool(hits)
        for k in hits:
            expected[k].append((i, i % 5, i % 2, latest))
    found = [list(zip(*(c.tolist() for c in window), strict=True)) for window in given_out]
    assert found == expected
    assert recording.num_events == number, 'also those after the last window'
    assert recording.num_in_windows == in_windows


@pytest.mark.usefixtures('small_chunks')
def test_time_span(write_events: Callable, tmp_path: Path) -> None:
    x = np.array([9, 0, 0, 0, 0, 9], np.uint16)
    t = np.array([1, 5, 3, 8, 7, 90])
    recording = Recording(write_events(tmp_path / 'a.h5', dict(x=x, y=x, p=x, t=t)), (4, 3))
    assert recording.time_span() == (5, 8), 'of the events inside of the sensor'
    assert recording.num_events == 0, 'looking is not reading'
    empty = {name: np.zeros(0, np.uint16) for name in 'xypt'}
    with pytest.raises(UserError, match=r'b.h5: the recording has no events'):
        Recording(write_events(tmp_path / 'b.h5', empty), (4, 3)).time_span()


class TestDamage:
    @pytest.fixture
    def whole(self, write_events: Callable, random_events: Callable, tmp_path: Path) -> Path:
        return write_events(tmp_path / 'a_td.h5', random_events(5000, (64, 48), 10**6), (64, 48))

    def read(self, path: Path) -> None:
        all_of(Recording(path, (64, 48)))

    def test_files_that_are_none(self, whole: Path, tmp_path: Path) -> None:
        self.read(whole)
        content = whole.read_bytes()
        for damaged in (b'', b'not HDF5', content[:100], content[: len(content) // 2]):
            whole.write_bytes(damaged)
            with pytest.raises(UserError, match=r'a_td\.h5 cannot be read: it is damaged'):
                self.read(whole)
        for name, why in (
            ('a.h5', 'no such recording'),
            ('b.txt', 'recordings end in .raw, .*'),
        ):
            if name == 'b.txt':
                (tmp_path / name).write_text('events')
            with pytest.raises(UserError, match=f'{name}: .*{why}'):
                self.read(tmp_path / name)

    def test_a_damaged_chunk(self, whole: Path) -> None:
        with h5py.File(whole) as file:
            at = file['events/t'].id.get_chunk_info(3)
        content = bytearray(whole.read_bytes())
        content[at.byte_offset : at.byte_offset + at.size] = bytes(at.size)
        whole.write_bytes(content)
        with pytest.raises(UserError, match=r'a_td\.h5 cannot be read: it is damaged'):
            self.read(whole)

    def test_other_contents(self, whole: Path) -> None:
        with h5py.File(whole, 'a') as file:
            del file['events/p']
        with pytest.raises(UserError, match=r'a_td\.h5: it has no dataset events/p'):
            self.read(whole)
        with h5py.File(whole, 'a') as file:
            file['events/p'] = np.zeros(4999, np.uint8)
        with pytest.raises(UserError, match=r"a_td\.h5: .* differ in length: .*'p': 4999"):
            self.read(whole)
        with h5py.File(whole, 'a') as file:
            del file['events']
            file['data'] = np.zeros(3)
        with pytest.raises(UserError, match=r'a_td\.h5: it has no dataset events/x'):
            self.read(whole)
        with h5py.File(whole, 'a') as file:
            file['events'] = np.zeros(3)
        with pytest.raises(UserError, match=r'a_td\.h5'):
            self.read(whole)


class TestCameras:
    def test_counts(self, camera_recordings: list[Path], check_sums: Callable) -> None:
        for path in camera_recordings:
            expected = json.loads((path.parent / 'expected.json').read_text())
            size = expected['width'], expected['height']
            recording = Recording(path, size)
            check_sums(expected, [tuple(all_of(recording).values())])
            assert recording.num_late == recording.num_outside == 0
            assert recording.num_events == expected['num_events']
            span = expected['first_t_us'], expected['last_t_us']
            assert recording.time_span() == span
            if b'geometry' in path.read_bytes()[:300]:
                assert Recording(path).size == size

    def test_dat(self, camera_recordings: list[Path], tmp_path: Path, check_sums: Callable) -> None:
        import faery

        for i, path in enumerate(camera_recordings):
            expected = json.loads((path.parent / 'expected.json').read_text())
            size = expected['width'], expected['height']
            stream = faery.events_stream_from_file(path, dimensions_fallback=size)
            stream.to_file(tmp_path / f'{i}.dat')
            recording = Recording(tmp_path / f'{i}.dat')
            assert recording.size == size
            check_sums(expected, [tuple(all_of(recording).values())])

    def test_the_size_is_asked_for_and_may_be_given(self, camera_recordings: list[Path]) -> None:
        told = [p for p in camera_recordings if b'geometry' in p.read_bytes()[:300]]
        for path in camera_recordings:
            expected = json.loads((path.parent / 'expected.json').read_text())
            if path not in told:
                with pytest.raises(UserError, match=r'recording.raw does not say .* --size WxH'):
                    Recording(path)
                with pytest.raises(UserError, match='its sensor is not 100x90'):
                    all_of(Recording(path, (100, 90)))
                continue
            cropped = Recording(path, (300, 200))
            events = all_of(cropped)
            assert 290 < events['x'].max() < 300 and 190 < events['y'].max() < 200
            assert len(events['t']) + cropped.num_outside == expected['num_events']

    def test_histograms(self, camera_recordings: list[Path]) -> None:
        """With a high cutoff they hold all events, of both polarities, at the right places."""
        for path in camera_recordings:
            expected = json.loads((path.parent / 'expected.json').read_text())
            size = expected['width'], expected['height']
            whole, half, usual = (
                StackedHistogram(10, 50, cutoff, downsample)
                for cutoff, downsample in ((255, 'none'), (255, 'sum'), (10, 'none'))
            )
            recording = Recording(path, size)
            first, last = recording.time_span()
            length = (last - first) // 3
            # Windows include both their ends, so that one more µs keeps them apart
            ends = first + length + (length + 1) * np.arange(3)
            found, true = np.zeros(4, np.int64), np.zeros(4, np.int64)
            for x, y, p, t in recording.windows(ends, length):
                counts = whole(x, y, p, t, size)
                assert counts.max() < 255, 'nothing was cut'
                assert half(x, y, p, t, size).sum() == counts.sum(), 'no event is lost'
                cut = usual(x, y, p, t, size)
                assert cut.any(axis=(1, 2)).all(), 'something happens in all channels'
                np.testing.assert_array_equal(cut, np.minimum(counts, 10))
                rows, columns = np.nonzero(counts.any(axis=0))
                per_pixel = counts.sum(axis=0, dtype=np.int64)[rows, columns]
                on = int(counts[10:].sum())
                found += [per_pixel.sum(), on, per_pixel @ columns, per_pixel @ rows]
                true += [len(t), *(int(c.sum(dtype=np.int64)) for c in (p, x, y))]
            assert found.tolist() == true.tolist()
            assert found[0] == recording.num_in_windows >= expected['num_events'] - 3
            assert found[1] == pytest.approx(expected['num_on'], abs=3)
            centre = found[2:] / found[0]
            mean = np.array([expected['sum_x'], expected['sum_y']]) / expected['num_events']
            assert np.abs(centre - mean).max() < 0.01, 'pixels'

    def test_damage(self, camera_recordings: list[Path], tmp_path: Path) -> None:
        content = camera_recordings[0].read_bytes()
        broken = tmp_path / 'broken.raw'
        for damaged in (b'', b'\x00' * 500, np.random.default_rng(0).bytes(5000), content[300:]):
            broken.write_bytes(damaged)
            with pytest.raises(UserError, match=r'broken.raw has no header'):
                Recording(broken, (640, 480))
        head = content[: content.index(b'\n', 150) + 1]
        broken.write_bytes(content[:2000] + np.random.default_rng(0).bytes(5000))
        with pytest.raises(UserError, match=r'broken.raw cannot be read: it is damaged'):
            all_of(Recording(broken, (640, 480)))
        broken.write_bytes(head)
        with pytest.raises(UserError, match=r'broken.raw: the recording has no events'):
            Recording(broken, (640, 480)).time_span()
        dat = tmp_path / 'broken.dat'
        dat.write_bytes(b'% Version 2\n\x63\x08' + bytes(80))
        with pytest.raises(UserError, match=r'broken.dat cannot be read: it is damaged'):
            Recording(dat, (640, 480))


def test_the_package_for_cameras_is_optional(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__('sys').modules, 'faery', None)
    (tmp_path / 'a.raw').write_bytes(b'% evt 3.0\n')
    with pytest.raises(UserError, match=r'a.raw: .* pip install faery'):
        Recording(tmp_path / 'a.raw', (640, 480))
