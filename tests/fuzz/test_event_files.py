"""Event files with anything in them, from the camera and in RVT's layout."""

from __future__ import annotations

import io
import shutil
import struct
from pathlib import Path
from typing import Any

import h5py
import hdf5plugin
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from abc_mmdet.datasets.events import EventSequenceDataset
from abc_mmdet.datasets.events.catalogue import CATALOGUE
from abc_mmdet.datasets.events.labels import BoxFilter, even_windows, frame_times, read_boxes
from abc_mmdet.datasets.events.recording import Recording
from abc_mmdet.datasets.events.stacked_histogram import StackedHistogram
from abc_mmdet.errors import UserError

from .case import cases, mutated, outcome, pick

SIZE = (32, 24)
KINDS = ('u1', 'u2', 'u4', 'u8', 'i1', 'i2', 'i4', 'i8', 'f2', 'f4', 'f8', '?', 'S3', 'c8', 'V4')
PACKING: tuple[dict[str, Any], ...] = (
    {},
    dict(compression='gzip', shuffle=True),
    dict(fletcher32=True),
    dict(hdf5plugin.Blosc(cname='zstd')),
)
EVENTS = dict(
    x=np.array([3, 5, 31, 0, 7, 9], 'u2'),
    y=np.array([3, 5, 23, 0, 7, 9], 'u2'),
    p=np.array([1, 0, 1, 1, 0, 1], 'u1'),
    t=np.array([10, 20_000, 60_000, 59_000, 110_000, 130_000], 'i8'),
)
LABEL = np.dtype(
    [('t', '<u8'), *[(k, '<f4') for k in 'xywh'], ('class_id', '<u4'), ('track_id', '<u4')]
)


def array(data: st.DataObject, base: np.ndarray) -> np.ndarray:
    """The array in another type, of another length or shape, or with other numbers."""
    kind = pick(data, ['number', 'number', 'type', 'length', 'shape', 'same'], 'kind')
    with np.errstate(all='ignore'):
        if kind == 'type':
            return base.astype(pick(data, KINDS, 'type'), casting='unsafe')
        if kind == 'length':
            return np.resize(base, data.draw(st.integers(0, 9), label='length'))
        if kind == 'shape':
            return base.reshape(pick(data, [(-1, 1), (1, -1), (-1, 1, 1)], 'shape'))
        changed = base.copy()
        if kind == 'number' and len(base) and base.dtype.kind in 'iuf':
            place = data.draw(st.integers(0, len(base) - 1), label='place')
            number = pick(data, [0, -1, 1, 255, 2**15, 2**31, 2**40, 2**62, 2**63 - 1], 'number')
            floats = [np.nan, np.inf, -np.inf, 1e30, -1e9, 0.25] if base.dtype.kind == 'f' else []
            value = pick(data, [number, *floats], 'value')
            changed[place] = np.array(value).astype(base.dtype, casting='unsafe')
        return changed


def counted(events: dict[str, np.ndarray], end: int) -> int:
    """Events of the sensor in the last 50 ms before a time, one after the other."""
    latest, number = 0, 0
    for x, y, t in zip(*(events[k].tolist() for k in 'xyt'), strict=True):
        latest = max(latest, t)
        inside = 0 <= x < SIZE[0] and 0 <= y < SIZE[1]
        number += inside and end - 50_000 <= latest <= end
    return number


@cases(0.08)
@given(data=st.data())
def test_recordings(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    path = tmp_path_factory.getbasetemp() / 'fuzz_td.h5'
    events = {k: array(data, column) for k, column in EVENTS.items()}
    left_out = pick(data, [None, None, None, *'xypt'], 'left out')
    size = pick(data, [None, SIZE, (0, 5), (2**20, 3), (-1, 3), ([1, 2], 3), (2.5, 1e300)], 'size')
    with h5py.File(path, 'w') as file:
        for k, column in events.items():
            if k != left_out:
                packing = pick(data, PACKING, 'packing') if column.size and column.ndim else {}
                file.create_dataset(f'events/{k}', data=column, **packing)
        if size is not None:
            file['events/width'], file['events/height'] = size

    def read() -> tuple[list[int], list[int]]:
        recording = Recording(path, None, SIZE)
        assert size is None or recording.size == size
        ends = even_windows(*recording.time_span(), 50_000)
        histogram = StackedHistogram(bins=2)
        numbers = [
            (len(window[0]), int(histogram(*window, recording.size).sum()))
            for window in recording.windows(ends[:20], 50_000)
        ]
        assert all(counts <= number for number, counts in numbers)
        return ends[:20].tolist(), [number for number, _ in numbers]

    found = outcome(read, str(path))
    if found is not None:
        assert left_out is None
        assert found[1] == [counted(events, end) for end in found[0]]


@pytest.fixture(scope='module')
def recordings(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """A whole file of each kind."""
    path = tmp_path_factory.mktemp('whole') / 'a.h5'
    with h5py.File(path, 'w') as file:
        for k, column in EVENTS.items():
            file.create_dataset(f'events/{k}', data=column)
        file['events/width'], file['events/height'] = SIZE
    dat = b'% Data file\n% Width 32\n% Height 24\n% Version 2\n\x0c\x08' + b''.join(
        struct.pack('<II', t, x | y << 14 | p << 28)
        for x, y, p, t in zip(*(EVENTS[k].tolist() for k in 'xypt'), strict=True)
    )
    words = [(0x8 << 12), (0x6 << 12), (0x0 << 12) | 5, (0x2 << 12) | (1 << 11) | 7]
    raw = b'% evt 3.0\n% geometry 32x24\n% end\n' + struct.pack('<4H', *words) * 9
    return {'.h5': path.read_bytes(), '.dat': dat, '.raw': raw}


@cases(0.07)
@given(data=st.data())
@pytest.mark.parametrize('suffix', ['.h5', '.dat', '.raw'])
def test_damaged_recordings(
    suffix: str, recordings: dict[str, bytes], tmp_path: Path, data: st.DataObject
) -> None:
    if suffix != '.h5':
        pytest.importorskip('faery')
    path = tmp_path / f'damaged{suffix}'
    path.write_bytes(mutated(recordings[suffix], data))

    def read() -> tuple[int, int]:
        recording = Recording(path)
        for events in recording.chunks():
            assert all(len(column) == len(events['t']) for column in events.values())
            assert (events['x'] < recording.size[0]).all()
            assert (events['y'] < recording.size[1]).all()
            assert (np.diff(events['t']) >= 0).all()
        return recording.num_events, recording.num_outside

    found = outcome(read, str(path))
    if found is not None:
        assert 0 <= found[1] <= found[0] <= path.stat().st_size


LABELS = np.array(
    [(t, 3, 4, 10, 8, k, 1) for k, t in enumerate((100_000, 200_000, 200_000, 300_000))], LABEL
)


def labels(data: st.DataObject) -> np.ndarray:
    """Labels with fields of other types, other numbers, or without a field."""
    made = {name: LABELS[name] for name in LABEL.names or ()}
    field = pick(data, list(made), 'field')
    made[field] = array(data, made[field])
    if made[field].shape != LABELS.shape:
        made = {k: np.resize(v, made[field].shape) for k, v in made.items()}
    if pick(data, [True, False, False, False], 'drop'):
        del made[pick(data, list(made), 'dropped')]
    whole = np.zeros(next(iter(made.values())).shape, [(k, v.dtype) for k, v in made.items()])
    for name, column in made.items():
        whole[name] = column
    return whole


@cases(0.06)
@given(data=st.data())
def test_boxes(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    path = tmp_path_factory.getbasetemp() / 'fuzz_bbox.npy'
    given_labels = labels(data)
    np.save(path, given_labels, allow_pickle=True)
    if pick(data, [True, False, False], 'bytes'):
        path.write_bytes(mutated(path.read_bytes(), data))
        given_labels = None
    entry = CATALOGUE['etram']

    def read() -> np.ndarray:
        boxes = read_boxes(path, entry.classes)
        box_filter = BoxFilter(pick(data, ['clip', 'rvt'], 'rules'), entry, SIZE, True)
        kept = box_filter(boxes)
        try:
            times = frame_times(np.unique(kept['t']), False)
        except UserError as error:
            raise UserError(f'{path}: {error}') from error
        assert len(times.windows_us) < 10**7
        return kept

    kept = outcome(read, str(path))
    if kept is not None:
        right, bottom = kept['x'] + kept['w'], kept['y'] + kept['h']
        assert (kept['x'] >= 0).all() and (right <= SIZE[0]).all()
        assert (kept['y'] >= 0).all() and (bottom <= SIZE[1]).all()
        if given_labels is not None:
            assert set(kept['t'].tolist()) <= set(given_labels['t'].tolist())


REPRESENTATION = 'event_representations_v2/stacked_histogram_dt=50_nbins=10'


@cases(0.05)
@given(data=st.data())
def test_rvt_layout(tmp_path: Path, data: st.DataObject) -> None:
    shutil.rmtree(tmp_path / 'val', ignore_errors=True)
    folder = tmp_path / 'val' / 'a'
    events = folder / REPRESENTATION
    events.mkdir(parents=True)
    (folder / 'labels_v2').mkdir()
    steps = np.array([1, 3], 'i8')
    ends = 100_000 * np.arange(1, 5)
    counts = np.arange(4 * 4 * 6 * 8).astype('u1').reshape(4, 4, 6, 8)
    arrays = {
        events / 'timestamps_us.npy': ends,
        events / 'objframe_idx_2_repr_idx.npy': steps,
        folder / 'labels_v2' / 'timestamps_us.npy': ends[steps],
    }
    first = np.array([0, 2], 'i8')
    what = pick(data, ['arrays', 'labels', 'first', 'counts', 'bytes'], 'what')
    for path, values in arrays.items():
        changes = what == 'arrays' and pick(data, [True, False], 'change')
        np.save(path, array(data, values) if changes else values, allow_pickle=True)
    if what == 'counts':
        kind = pick(data, KINDS, 'type')
        shape = pick(data, [(4, 4, 6, 8), (4, 192), (3, 4, 6, 8), (4, 0, 6, 8), (768,)], 'shape')
        with np.errstate(all='ignore'):
            counts = np.resize(counts, shape).astype(kind, casting='unsafe')
    with h5py.File(events / 'event_representations.h5', 'w') as file:
        file['data'] = counts
    np.savez(
        folder / 'labels_v2' / 'labels.npz',
        labels=labels(data) if what == 'labels' else LABELS,
        objframe_idx_2_label_idx=array(data, first) if what == 'first' else first,
    )
    if what == 'bytes':
        path = pick(data, sorted(p for p in folder.rglob('*') if p.is_file()), 'file')
        path.write_bytes(mutated(path.read_bytes(), data))

    def read() -> list[dict]:
        dataset = EventSequenceDataset(
            data_root=str(tmp_path),
            data_prefix=dict(recordings='val/'),
            catalogue='etram',
            test_mode=True,
            serialize_data=False,  # which collects garbage for a second
            pipeline=[],
        )
        infos = [dataset.get_data_info(i) for i in range(len(dataset))]
        for info in infos:
            part = info['sequence'].representations(info['start'], info['stop'])
            assert part.dtype == np.uint8 and len(part) == info['stop'] - info['start']
        return infos

    infos = outcome(read, str(folder))
    if infos is not None:
        frames = [frame for info in infos for frame in info['frames']]
        assert all(np.isfinite(f['bboxes']).all() and (f['labels'] >= 0).all() for f in frames)
        if what not in ('bytes', 'labels', 'first'):
            assert [len(f['bboxes']) for f in frames] == [2] * len(frames)


def test_files_of_the_fuzzers_are_whole(recordings: dict[str, bytes], tmp_path: Path) -> None:
    """Unchanged they are read, or the fuzzers would only ever see refusals."""
    for suffix, content in recordings.items():
        if suffix != '.h5':
            pytest.importorskip('faery')
        path = tmp_path / f'a{suffix}'
        path.write_bytes(content)
        recording = Recording(path)
        assert recording.size == SIZE
        assert sum(len(chunk['t']) for chunk in recording.chunks()) in (6, 9), suffix
    np.save(buffer := io.BytesIO(), LABELS)
    (tmp_path / 'a.npy').write_bytes(buffer.getvalue())
    assert len(read_boxes(tmp_path / 'a.npy', CATALOGUE['etram'].classes)) == 4
