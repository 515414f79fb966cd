"""Whole recordings against a straightforward implementation of RVT's preprocessing."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest

from abc_mmdet.datasets.events.conversion import (
    ConversionSettings,
    NoLabelsLeft,
    convert,
    is_converted,
    remove_partial_conversions,
)
from abc_mmdet.datasets.events.conversion_report import report_text, summarise, write_report
from abc_mmdet.datasets.events.labels import total
from abc_mmdet.datasets.events.layouts import Source
from abc_mmdet.datasets.events.rvt_layout import RVTSequence
from abc_mmdet.datasets.events.stacked_histogram import StackedHistogram
from abc_mmdet.errors import UserError

SIZE = WIDTH, HEIGHT = 64, 48
SECONDS = 1.5
BOX = np.dtype(
    [
        *[('t', '<u8'), ('x', '<f4'), ('y', '<f4'), ('w', '<f4'), ('h', '<f4')],
        *[('class_id', 'u1'), ('track_id', '<u4'), ('class_confidence', '<f4')],
    ]
)
RVT = ConversionSettings('etram', StackedHistogram(downsample='nearest'), 'rvt')


def random_boxes(times: np.ndarray, num_classes: int, seed: int = 0) -> np.ndarray:
    """Ten boxes for each time, of all sizes, also beyond the frame; not in order of time."""
    rng = np.random.default_rng(seed)
    boxes = np.zeros(10 * len(times), BOX)
    boxes['t'] = np.repeat(times, 10)
    for corner, side, length in (('x', 'w', WIDTH), ('y', 'h', HEIGHT)):
        boxes[corner] = rng.uniform(-10, length, len(boxes))
        boxes[side] = rng.uniform(1, length * 1.2, len(boxes)) ** rng.choice([0.4, 1], len(boxes))
    for name, value in dict(x=-3, y=2, w=70, h=30).items():
        boxes[name][::20] = value  # wider than 90 % of the frame
    boxes['class_id'] = rng.integers(0, num_classes, len(boxes))
    boxes['track_id'] = np.arange(len(boxes))
    boxes['class_confidence'] = 1
    return boxes[rng.permutation(len(boxes))]


def rvt_boxes(boxes: np.ndarray, dataset: str, is_train: bool) -> np.ndarray:
    """RVT's filters."""
    boxes = boxes[np.argsort(boxes['t'], kind='stable')]
    if dataset == '1mpx':
        boxes = boxes[boxes['class_id'] <= 2]
    x1, y1 = boxes['x'].clip(0, WIDTH - 1), boxes['y'].clip(0, HEIGHT - 1)
    boxes['w'] = (boxes['x'] + boxes['w']).clip(0, WIDTH - 1) - x1
    boxes['h'] = (boxes['y'] + boxes['h']).clip(0, HEIGHT - 1) - y1
    boxes['x'], boxes['y'] = x1, y1
    boxes = boxes[(boxes['w'] > 0) & (boxes['h'] > 0)]
    side = 10 if dataset == 'gen1' else 5
    boxes = boxes[(boxes['w'] >= side) & (boxes['h'] >= side)]
    if dataset == 'gen1':
        boxes = boxes[boxes['w'] ** 2 + boxes['h'] ** 2 >= 30**2]
    return boxes[boxes['w'] <= WIDTH * 9 // 10] if is_train else boxes


@pytest.fixture
def recording(
    write_events: Callable, random_events: Callable, tmp_path: Path
) -> Callable[..., Source]:
    """Write a recording of 1.5 s, labels at 60 Hz (Gen1: 4 Hz)."""

    def write(
        name: str = 'street',
        split: str = 'train',
        dataset: str = 'etram',
        labelled: bool = True,
        seed: int = 0,
    ) -> Source:
        stem = tmp_path / 'raw' / split / name
        ending = '_td.dat.h5' if dataset == 'gen1' else '_td.h5'
        events = random_events(60_000, SIZE, int(SECONDS * 1e6), seed)
        events['p'] = np.where(events['p'], 1, -1).astype('i1')
        path = write_events(stem.with_name(name + ending), events, SIZE)
        if not labelled:
            return Source(name, split, path, None)
        spacing = 250_000 if dataset == 'gen1' else 1e6 / 60
        times = np.arange(0, SECONDS * 1e6, spacing).round()
        boxes = stem.with_name(f'{name}_bbox.npy')
        np.save(boxes, random_boxes(times, 2 if dataset == 'gen1' else 7, seed))
        return Source(name, split, path, boxes)

    return write


def written(folder: Path, downsample: str) -> tuple[np.ndarray, ...]:
    """Data, window of each frame, ends of windows, labels, first label of each frame, frames."""
    (events,) = (folder / 'event_representations_v2').iterdir()
    assert events.name == 'stacked_histogram_dt=50_nbins=10'
    suffix = '' if downsample == 'none' else f'_ds2_{downsample}'
    with h5py.File(events / f'event_representations{suffix}.h5') as file:
        data = file['data'][:]
    with np.load(folder / 'labels_v2' / 'labels.npz') as file:
        labels, first = file['labels'], file['objframe_idx_2_label_idx']
    steps, ends, frames = (
        np.load(path)
        for path in (
            events / 'objframe_idx_2_repr_idx.npy',
            events / 'timestamps_us.npy',
            folder / 'labels_v2' / 'timestamps_us.npy',
        )
    )
    return data, steps, ends, labels, first, frames


@pytest.mark.parametrize(
    ('dataset', 'split', 'downsample'),
    [
        ('etram', 'train', 'nearest'),
        ('1mpx', 'val', 'nearest'),
        ('gen1', 'train', 'none'),
        ('etram', 'val', 'sum'),
    ],
)
def test_it_is_what_rvt_writes(
    recording: Callable,
    rvt_times: Callable,
    rvt_histogram: Callable,
    tmp_path: Path,
    dataset: str,
    split: str,
    downsample: str,
) -> None:
    source = recording('street', split, dataset)
    settings = ConversionSettings(dataset, StackedHistogram(downsample=downsample), 'rvt')
    found = convert(source, tmp_path / 'out', settings)
    data, steps, ends, labels, first, frames = written(
        tmp_path / 'out' / split / 'street', downsample
    )

    boxes = rvt_boxes(np.load(source.boxes), dataset, split == 'train')
    true_frames, true_ends, true_steps = rvt_times(np.unique(boxes['t']), dataset == 'gen1')
    np.testing.assert_array_equal(frames, true_frames)
    np.testing.assert_array_equal(ends, true_ends)
    np.testing.assert_array_equal(steps, true_steps)
    per_frame = [boxes[boxes['t'] == t] for t in true_frames]
    assert len(per_frame) >= 3 and labels.dtype == BOX
    assert labels.tobytes() == np.concatenate(per_frame).tobytes()
    np.testing.assert_array_equal(first, np.cumsum([0, *map(len, per_frame)])[:-1])
    for array in (steps, ends, first, frames):
        assert array.dtype == np.int64

    with h5py.File(source.events) as file:
        x, y, p, t = (file['events'][k][:].astype(np.int64) for k in 'xypt')
    t = np.maximum.accumulate(t)
    assert data.dtype == np.uint8 and len(data) == len(ends)
    for counts, end in zip(data, ends, strict=True):
        part = slice(np.searchsorted(t, end - 50_000, 'left'), np.searchsorted(t, end, 'right'))
        events = x[part], y[part], p[part].clip(0), t[part]
        true = rvt_histogram(*events, SIZE, downsample=downsample)
        np.testing.assert_array_equal(counts, true)
    assert data.max() == 10, 'the hot pixel is cut'

    assert found['labelled'] == len(frames) and found['windows'] == len(ends)
    assert found['boxes_read'] == total(found['boxes']) + sum(map(total, found['dropped'].values()))
    assert total(found['boxes']) == len(labels)
    assert {'too small', 'outside of the frame, or empty'} <= set(found['dropped'])
    assert ('of a class that RVT leaves out' in found['dropped']) == (dataset == '1mpx')
    assert ('wider than 90 % of the frame' in found['dropped']) == (split == 'train')


def test_more_events_remain_than_with_nearest_neighbour(
    recording: Callable, tmp_path: Path
) -> None:
    source, data = recording(), {}
    for downsample in ('none', 'sum', 'nearest'):
        histogram = StackedHistogram(downsample=downsample, count_cutoff=255)
        convert(source, tmp_path / downsample, replace(RVT, histogram=histogram))
        data[downsample] = written(tmp_path / downsample / 'train' / 'street', downsample)[0]
    full = data['none'].astype(int)
    assert data['sum'].shape == data['nearest'].shape == (len(full), 20, HEIGHT // 2, WIDTH // 2)
    assert data['sum'].sum() == full.sum()
    np.testing.assert_array_equal(data['nearest'], full[..., 1::2, 1::2])
    assert data['nearest'].sum() < 0.4 * full.sum()


def test_what_is_counted(
    recording: Callable, write_events: Callable, random_events: Callable, tmp_path: Path
) -> None:
    source = recording(split='val')
    events = random_events(60_000, SIZE, int(SECONDS * 1e6))
    events['x'][1000:1007] = WIDTH
    write_events(source.events, events, SIZE)
    found = convert(source, tmp_path, replace(RVT, box_filter='clip'))
    assert found['events'] == 60_000
    assert found['events_outside'] == 7
    t = np.maximum.accumulate(events['t'])
    assert found['times_corrected'] == (t != events['t']).sum() > 100
    _, _, ends, labels, _, frames = written(tmp_path / 'val' / 'street', 'nearest')
    inside = (t >= ends[0] - 50_000) & (t <= ends[-1]) & (events['x'] < WIDTH)
    # Windows stand 50 ms apart, give or take a µs
    assert found['events_between'] == pytest.approx(60_000 - 7 - inside.sum(), abs=20)

    boxes = np.load(source.boxes)
    assert set(found['dropped']) == {
        'outside of the frame, or empty',
        'between the labelled frames',
    }
    assert found['boxes_read'] == len(boxes)
    assert total(found['boxes']) == len(labels) > 30
    for class_id, name in ((1, 'car'), (4, 'motorbike')):
        of_class = labels[labels['class_id'] == class_id]
        root = np.sqrt(of_class['w'] * of_class['h'])
        assert found['boxes'][name]['tiny'] == ((root >= 8) & (root < 16)).sum()
        assert sum(found['boxes'][name].values()) == len(of_class)
    assert np.isin(labels['t'], frames).all()


def test_labels_that_go_on_when_the_events_have_ended(
    recording: Callable, write_events: Callable, random_events: Callable, tmp_path: Path
) -> None:
    source = recording()
    write_events(source.events, random_events(5_000, SIZE, 700_000), SIZE)
    with pytest.raises(UserError, match=r'events from 0.0 s to 0.7 s.*labels from 0.1 s to 1.4 s'):
        convert(source, tmp_path, RVT)
    assert not (tmp_path / 'train').exists()


def test_labels_before_the_events(
    recording: Callable, write_events: Callable, random_events: Callable, tmp_path: Path
) -> None:
    source = recording()
    events = random_events(5_000, SIZE, 1_000_000)
    events['t'] += 500_000
    write_events(source.events, events, SIZE)
    with pytest.raises(UserError, match=r'events from 0.5 s .*: 5 of 14 labelled frames'):
        convert(source, tmp_path, RVT)


def test_one_wrong_time_does_not_empty_the_rest(
    recording: Callable, write_events: Callable, random_events: Callable, tmp_path: Path
) -> None:
    source = recording()
    events = random_events(60_000, SIZE, int(SECONDS * 1e6))
    whole = convert(source, tmp_path, RVT)
    for place in (0, 20_000):
        wrong = {name: column.copy() for name, column in events.items()}
        wrong['t'][place] = 3_000_000_000
        write_events(source.events, wrong, SIZE)
        for of_kind in (source, replace(source, boxes=None)):
            with pytest.raises(UserError, match=r'street_td.h5: events/t jumps to 3000000000') as e:
                convert(of_kind, tmp_path / 'wrong', RVT)
            assert f'of {len(events["t"]):,} events' in str(e.value)
    early = {name: column.copy() for name, column in events.items()}
    early['t'][30_000:30_005] = 0  # a few early ones do no harm
    write_events(source.events, early, SIZE)
    found = convert(source, tmp_path / 'early', RVT)
    assert found['labelled_empty'] == 0 and found['labelled'] == whole['labelled']
    below = dict(events, t=events['t'] - 700_000)
    write_events(source.events, below, SIZE)
    with pytest.raises(UserError, match='begins below 0'):
        convert(source, tmp_path / 'below', RVT)


def test_recordings_with_empty_frames_are_named(
    recording: Callable, write_events: Callable, random_events: Callable, tmp_path: Path
) -> None:
    source = recording()
    events = random_events(60_000, SIZE, int(SECONDS * 1e6))
    kept = (events['t'] < 400_000) | (events['t'] > 900_000)
    write_events(source.events, {name: column[kept] for name, column in events.items()}, SIZE)
    found = convert(source, tmp_path, RVT)
    frames = written(tmp_path / 'train' / 'street', 'nearest')[-1]
    empty = int(((frames - 50_000 >= 400_000) & (frames <= 900_000)).sum())
    assert empty >= 3 and abs(found['labelled_empty'] - empty) <= 1
    text = report_text(summarise({('train', 'street'): found}, {}))
    number = found['labelled_empty']
    assert f'train/street: {number} of {len(frames)} labelled frames' in text
    assert f'{len(frames)} of them labelled, {number} of these without' in text


def test_report(recording: Callable, tmp_path: Path) -> None:
    found = {}
    for split, name, seed in (('train', 'a', 1), ('train', 'b', 2), ('val', 'c', 3)):
        found[split, name] = convert(recording(name, split, seed=seed), tmp_path, RVT)
    report = summarise(found, {'val/d': 'd_td.h5 is damaged'})
    write_report(report, tmp_path)
    assert json.loads((tmp_path / 'conversion_report.json').read_text()) == report
    train = report['splits']['train']
    both = found['train', 'a'], found['train', 'b']
    assert train['recordings'] == 2
    for key in ('events', 'windows', 'boxes_read', 'times_corrected', 'events_between'):
        assert train[key] == sum(of_one[key] for of_one in both)
    for name in ('car', 'truck'):
        for size in ('very tiny', 'small'):
            assert train['boxes'][name][size] == sum(of['boxes'][name][size] for of in both)
            assert train['dropped']['too small'][name][size] == sum(
                of['dropped']['too small'][name][size] for of in both
            )
    text = report_text(report)
    assert 'train: 2 recordings' in text and 'val: 1 recordings' in text
    assert f'dropped, too small: {total(train["dropped"]["too small"]):,}' in text
    assert f'{train["times_corrected"]:,} unsorted times' in text
    assert text.endswith('1 recordings failed:\n  d_td.h5 is damaged')


def test_other_bins_windows_and_steps(
    recording: Callable, rvt_histogram: Callable, tmp_path: Path
) -> None:
    source = recording()
    histogram = StackedHistogram(4, 20, 3, 'none')
    convert(source, tmp_path, ConversionSettings(histogram=histogram, step_ms=25))
    sequence = RVTSequence(tmp_path / 'train' / 'street', 'stacked_histogram_dt=20_nbins=4')
    assert sequence.shape == (8, HEIGHT, WIDTH)
    assert np.abs(np.diff(sequence.window_ends_us) - 25_000).max() <= 2
    with h5py.File(source.events) as file:
        x, y, p, t = (file['events'][k][:].astype(np.int64) for k in 'xypt')
    t, end = np.maximum.accumulate(t), sequence.window_ends_us[7]
    part = (t >= end - 20_000) & (t <= end)
    true = rvt_histogram(x[part], y[part], p[part].clip(0), t[part], SIZE, 4, 3)
    np.testing.assert_array_equal(sequence.representations(7, 8)[0], true)


def test_without_labels(recording: Callable, tmp_path: Path) -> None:
    found = convert(recording(labelled=False, split='test'), tmp_path, RVT)
    sequence = RVTSequence(tmp_path / 'test' / 'street', downsample='nearest')
    assert found['labelled'] == found['boxes_read'] == len(sequence.frame_steps) == 0
    assert sequence.num_steps == found['windows'] == int(SECONDS * 20) - 1
    assert (np.diff(sequence.window_ends_us) == 50_000).all()
    assert sequence.representations(0, sequence.num_steps).any(axis=(1, 2, 3)).all()


def test_recordings_of_cameras(camera_recordings: list[Path], tmp_path: Path) -> None:
    for path in camera_recordings:
        expected = json.loads((path.parent / 'expected.json').read_text())
        settings = ConversionSettings(size=(expected['width'], expected['height']))
        name = path.parent.name
        found = convert(Source(name, 'test', path, None), tmp_path, settings)
        assert found['events'] == expected['num_events'] and found['events_outside'] == 0
        sequence = RVTSequence(tmp_path / 'test' / name, downsample='sum')
        assert sequence.shape == (20, expected['height'] // 2, expected['width'] // 2)
        data = sequence.representations(0, min(3, sequence.num_steps))
        assert data.any(axis=(2, 3)).mean() > 0.9, 'something happens in nearly all bins'
        assert 0 < data.astype(bool).mean() < 0.1, 'on few of the pixels'


class TestWhatFails:
    def check(self, source: Source, out_dir: Path, *words: str) -> None:
        with pytest.raises(UserError) as caught:
            convert(source, out_dir, RVT)
        for word in words:
            assert word in str(caught.value)
        assert not [path for path in out_dir.rglob('*') if path.is_file()], 'nothing is left'

    @pytest.fixture
    def out_dir(self, tmp_path: Path) -> Path:
        (tmp_path / 'out').mkdir()
        return tmp_path / 'out'

    def test_events_or_labels_that_are_missing(self, recording: Callable, out_dir: Path) -> None:
        source = recording()
        source.boxes.rename(source.boxes.with_name('kept'))
        self.check(source, out_dir, str(source.boxes), 'is missing')
        source.boxes.with_name('kept').rename(source.boxes)
        source.events.unlink()
        self.check(source, out_dir, str(source.events), 'labels without events')

    def test_labels_of_another_time(self, recording: Callable, out_dir: Path) -> None:
        source = recording()
        boxes = np.load(source.boxes)
        boxes['t'] += 2_000_000
        np.save(source.boxes, boxes)
        self.check(source, out_dir, str(source.events), str(source.boxes), 'another one')
        boxes['t'] = 0
        np.save(source.boxes, boxes)
        self.check(source, out_dir, str(source.boxes), 'at or after 100 ms')
        with pytest.raises(NoLabelsLeft):  # so that it is skipped, not failed
            convert(source, out_dir, RVT)

    def test_nothing_to_do(
        self, recording: Callable, write_events: Callable, out_dir: Path
    ) -> None:
        source = recording()
        empty = {k: np.zeros(0, np.int64) for k in 'xypt'}
        write_events(source.events, empty, SIZE)
        self.check(source, out_dir, str(source.events), '0 events', 'is empty')
        self.check(replace(source, boxes=None), out_dir, str(source.events), 'has no events')
        np.save(source.boxes, np.zeros(0, BOX))
        self.check(source, out_dir, str(source.boxes), 'the file is empty')
        boxes = np.zeros(3, BOX)
        boxes['w'] = boxes['h'] = 3
        np.save(source.boxes, boxes)
        self.check(source, out_dir, 'no label is left of 3', 'too small: 3')

    def test_truncated_in_the_middle(self, recording: Callable, out_dir: Path) -> None:
        source = recording()
        with h5py.File(source.events) as file:
            at = file['events/x'].id.get_chunk_info(40)
        content = bytearray(source.events.read_bytes())
        content[at.byte_offset : at.byte_offset + at.size] = bytes(at.size)
        source.events.write_bytes(content)
        self.check(source, out_dir, str(source.events), 'damaged')
        assert list(out_dir.iterdir()) == []


def test_again_with_other_settings(recording: Callable, tmp_path: Path) -> None:
    source, folder = recording(), tmp_path / 'train' / 'street'
    assert not is_converted(folder, RVT)
    convert(source, tmp_path, RVT)
    assert is_converted(folder, RVT)
    others = [
        replace(RVT, box_filter='clip'),
        replace(RVT, size=(32, 24)),
        replace(RVT, step_ms=25),
        replace(RVT, histogram=StackedHistogram(count_cutoff=9, downsample='nearest')),
    ]
    for other in others:
        assert not is_converted(folder, other)
    convert(source, tmp_path, others[0])
    assert is_converted(folder, others[0]) and not is_converted(folder, RVT)
    assert [path.name for path in tmp_path.glob('train/*')] == ['street']
    (folder / 'abc_conversion.json').write_text('{')
    assert not is_converted(folder, others[0])


def test_left_overs_are_cleared_away(tmp_path: Path) -> None:
    left = tmp_path / '.partial-conversion-x' / 'street'
    left.mkdir(parents=True)
    (left / 'file').touch()
    (tmp_path / 'train').mkdir()
    remove_partial_conversions(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ['train']
