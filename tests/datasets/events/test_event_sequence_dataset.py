"""The data set of clips."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.utils.data import DataLoader

import abc_mmdet  # noqa: F401
from abc_mmdet.datasets.events import EventSequenceDataset, RecordingSampler, StreamBatchSampler
from abc_mmdet.datasets.events.catalogue import ETRAM
from abc_mmdet.datasets.events.event_sequence_dataset import Clip, tile
from abc_mmdet.errors import UserError


@given(st.integers(0, 60), st.integers(1, 12), st.sets(st.integers(0, 80)))
def test_ranges_cover_every_step_once_and_end_where_asked(
    num_steps: int, length: int, ends: set[int]
) -> None:
    ranges = tile(num_steps, length, ends)
    assert [step for start, stop in ranges for step in range(start, stop)] == [*range(num_steps)]
    assert all(1 <= stop - start <= length for start, stop in ranges)
    for start, stop in ranges:
        assert not ends & set(range(start, stop - 1)), 'such a step is the last of its range'
    for (start, stop), _ in pairwise(ranges):
        assert stop - start == length or stop - 1 in ends, 'none is shorter than it has to be'


PIPELINE = [dict(type='LoadEventClip'), dict(type='PackClipInputs')]


def make(root, **options) -> EventSequenceDataset:
    options = dict(dict(clip_length=3, pipeline=PIPELINE, test_mode=True), **options)
    return EventSequenceDataset(
        data_root=str(root), data_prefix=dict(recordings='train/'), **options
    )


def test_serves_every_step_and_label_once(tmp_path, write_recording) -> None:
    a = write_recording(tmp_path / 'train/a', 8, [1, 3, 7], seed=1)
    b = write_recording(tmp_path / 'train/b', 4, [2], seed=2)
    dataset = make(tmp_path)
    assert dataset.metainfo['classes'] == ETRAM.classes
    clips = [dataset[i] for i in range(len(dataset))]
    assert len(clips) >= 4, 'a clip for each frame at least'
    assert max(len(clip['inputs']) for clip in clips) <= 3
    for recording, events in enumerate((a, b)):
        own = [c for c in clips if c['data_samples'].recording == recording]
        assert torch.equal(torch.cat([c['inputs'] for c in own]), torch.from_numpy(events))
        assert all(c['data_samples'].streamed for c in own)
        borders = [(c['data_samples'].start, c['data_samples'].stop) for c in own]
        assert borders[0][0] == 0
        assert all(x[1] == y[0] for x, y in pairwise(borders))
    samples = [s for c in clips if len(c['data_samples']) for s in c['data_samples']]
    assert [s.img_id for s in samples] == [0, 1, 2, 3]
    assert [s.timestamp_us for s in samples] == [100_000, 200_000, 400_000, 150_000]
    assert [s.gt_instances.labels.tolist() for s in samples] == [[0], [1], [2], [0]]


def test_boxes_at_half_resolution(tmp_path, write_recording) -> None:
    boxes = [[(4, 6, 10, 8, 0, 1), (20, 10, 6, 6, 2, 2)]]
    write_recording(tmp_path / 'train/a', 2, [1], boxes, suffix='_ds2_nearest')
    dataset = make(tmp_path, downsample='nearest')
    (sample,) = dataset[0]['data_samples']
    expected = torch.tensor([[4.0, 6, 14, 14], [20, 10, 26, 16]])
    assert torch.equal(sample.gt_instances.bboxes, expected / 2)
    assert [i['bbox'] for i in sample.instances] == expected.tolist()
    assert sample.ori_shape == (48, 64)
    assert sample.img_shape == (24, 32)
    assert sample.scale_factor == (0.5, 0.5)


def test_classes_are_matched_by_name(tmp_path, write_recording) -> None:
    boxes = [[(1, 1, 5, 5, 0, 1), (2, 2, 5, 5, 1, 2), (3, 3, 5, 5, 2, 3)]]
    write_recording(tmp_path / 'train/a', 1, [0], boxes)
    dataset = make(tmp_path, metainfo=dict(classes=('bicycle', 'pedestrian')))
    (sample,) = dataset[0]['data_samples']
    assert sample.gt_instances.labels.tolist() == [1, 0]
    assert sample.gt_instances.bboxes[:, 0].tolist() == [1, 3]
    with pytest.raises(UserError, match=r"'scooter'.*etram"):
        make(tmp_path, metainfo=dict(classes=('scooter',)))
    with pytest.raises(UserError, match='class_id 2'):
        make(tmp_path, catalogue='gen1')[0]


def test_objects_that_stand_are_marked(tmp_path, write_recording) -> None:
    xs = [0, 4, 8, 8, 8, 8, 8, 12]
    boxes = [[(x, 5, 6, 6, 0, 7), (20, 5, 6, 6, 0, i)] for i, x in enumerate(xs)]
    write_recording(tmp_path / 'train/a', 16, range(1, 17, 2), boxes)
    dataset = make(tmp_path, clip_length=1)
    clips = [dataset[i]['data_samples'] for i in range(16)]
    samples = [sample for clip in clips if len(clip) for sample in clip]
    flags = [[i['still'] for i in s.instances] for s in samples]
    # compared with 0.3 s before; the second box never belongs to a track that was there before
    assert flags == [[f, False] for f in (*[False] * 5, True, True, False)]


def test_whole_streams_are_mirrored(tmp_path, write_recording) -> None:
    events = write_recording(tmp_path / 'train/a', 6, [1, 3, 5])
    pipeline = [PIPELINE[0], dict(type='RandomFlipClip', prob=0.5), PIPELINE[1]]
    dataset = make(tmp_path, pipeline=pipeline)
    seen = set()
    for seed in range(20):
        clips = [dataset[clip] for clip in dataset.stream(0, seed)]
        whole = torch.cat([c['inputs'] for c in clips]).numpy()
        mirrored = bool((whole == events[..., ::-1]).all())
        assert mirrored or (whole == events).all()
        (sample, *_) = clips[0]['data_samples']
        expected = [20.0, 3, 30, 11] if mirrored else [2.0, 3, 12, 11]
        assert sample.gt_instances.bboxes.tolist() == [expected]
        seen.add(mirrored)
    assert seen == {False, True}


def test_training_clips_by_number_stand_alone(tmp_path, write_recording) -> None:
    write_recording(tmp_path / 'train/a', 7, [1, 3])
    dataset = make(tmp_path, test_mode=False)
    assert [len(dataset[i]['inputs']) for i in range(len(dataset))] == [3, 3, 1]
    assert not any(dataset[i]['data_samples'].streamed for i in range(len(dataset)))
    assert dataset.clip_before(0, frame=1, seed=5) == Clip(0, 1, 4, 5, streamed=False)
    assert dataset.clip_before(0, frame=0, seed=5) == Clip(0, 0, 2, 5, streamed=False)


def test_worker_processes_read_the_same(tmp_path, write_recording) -> None:
    for i in range(3):
        write_recording(tmp_path / f'train/{i}', 5 + i, [2, 4], seed=i)
    dataset = make(tmp_path)
    dataset[0]  # a handle opened here must not be used by the workers
    loaded = []
    for workers in (0, 2):
        sampler = RecordingSampler(dataset, seed=0, shuffle=False, infinite=False)
        batches = StreamBatchSampler(sampler, batch_size=2)
        loader = DataLoader(
            dataset, batch_sampler=batches, num_workers=workers, collate_fn=lambda batch: batch
        )
        loaded.append([clip['inputs'].numpy() for batch in loader for clip in batch])
    for ours, theirs in zip(*loaded, strict=True):
        assert np.array_equal(ours, theirs)


def test_missing_files_are_named(tmp_path, write_recording) -> None:
    (tmp_path / 'train').mkdir()
    with pytest.raises(UserError, match=r'event_recordings\.py'):
        make(tmp_path).full_init()
    write_recording(tmp_path / 'train/a', 2, [1])
    with pytest.raises(UserError, match='ds2_sum'):
        make(tmp_path, downsample='sum')[0]
