"""Clips loaded, mirrored, zoomed and packed."""

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from torch.nn.functional import interpolate

from abc_mmdet.datasets.events.clip_transforms import (
    LoadEventClip,
    PackClipInputs,
    RandomFlipClip,
    RandomZoomClip,
    resample,
)
from abc_mmdet.datasets.events.rvt_layout import RVTSequence
from abc_mmdet.errors import UserError


@st.composite
def clips(draw: st.DrawFn) -> dict:
    """Events (T, C, H, W) and, for each step, boxes with whole corners inside of them."""
    steps, height, width = draw(st.tuples(st.integers(1, 3), st.integers(2, 6), st.integers(2, 6)))
    frames = []
    for step in range(steps):
        corners = draw(arrays(np.int64, (draw(st.integers(0, 3)), 4), elements=st.integers(0, 6)))
        sides = np.array([width, height, width, height])
        low, high = np.sort((corners % sides).reshape(-1, 2, 2), axis=1).transpose(1, 0, 2)
        boxes = np.concatenate([low, high + 1], axis=1).astype(np.float32)
        frames.append(dict(step=step, gt_bboxes=boxes, bboxes=boxes * 2))
    events = draw(arrays(np.uint8, (steps, 2, height, width)))
    return dict(events=events, frames=frames, seed=draw(st.integers(0, 2**62)))


def copy_of(results: dict) -> dict:
    return dict(results, frames=[dict(frame) for frame in results['frames']])


@given(clips())
def test_mirrored_boxes_hold_what_they_held(clip: dict) -> None:
    mirrored = RandomFlipClip(prob=1.0)(copy_of(clip))
    for step, (before, after) in enumerate(zip(clip['frames'], mirrored['frames'], strict=True)):
        assert after['gt_bboxes'].dtype == np.float32
        assert np.array_equal(before['bboxes'], after['bboxes']), 'those on the sensor stay'
        pairs = zip(before['gt_bboxes'], after['gt_bboxes'], strict=True)
        for (x1, y1, x2, y2), (u1, v1, u2, v2) in pairs:
            inside = clip['events'][step, :, int(y1) : int(y2), int(x1) : int(x2)]
            now = mirrored['events'][step, :, int(v1) : int(v2), int(u1) : int(u2)]
            assert np.array_equal(now, inside[..., ::-1])


@given(clips())
def test_twice_mirrored_is_as_before(clip: dict) -> None:
    flip = RandomFlipClip(prob=1.0)
    twice = flip(flip(copy_of(clip)))
    assert np.array_equal(twice['events'], clip['events'])
    for before, after in zip(clip['frames'], twice['frames'], strict=True):
        assert np.array_equal(before['gt_bboxes'], after['gt_bboxes'])


def test_the_seed_decides_and_prob_is_how_often() -> None:
    events = np.arange(6, dtype=np.uint8).reshape(1, 1, 2, 3)

    def mirrored(seed: int, prob: float) -> bool:
        done = RandomFlipClip(prob)(dict(events=events, frames=[], seed=seed))
        return not np.array_equal(done['events'], events)

    for prob in (0.0, 0.3, 1.0):
        flips = [mirrored(seed, prob) for seed in range(400)]
        assert flips == [mirrored(seed, prob) for seed in range(400)]
        assert abs(np.mean(flips) - prob) < 0.1


def test_loaded_and_packed(tmp_path: Path, write_recording) -> None:
    events = write_recording(tmp_path / 'street', 6, [2, 3], suffix='_ds2_sum')
    sequence = RVTSequence(tmp_path / 'street', downsample='sum')
    boxes = np.array([[4, 6, 14, 14], [20, 10, 26, 16]], np.float32)
    frame = dict(
        step=1,
        img_id=7,
        timestamp_us=150_000,
        bboxes=boxes,
        labels=np.array([2, 0]),
        still=np.array([False, True]),
    )
    results = dict(recording=3, start=1, stop=4, seed=5, streamed=True, sequence=sequence)
    results.update(name='street', frames=[frame], scale_factor=(0.5, 0.5), ori_shape=(48, 64))
    packed = PackClipInputs()(RandomFlipClip(1.0)(LoadEventClip()(results)))
    assert torch.equal(packed['inputs'], torch.from_numpy(events[1:4, ..., ::-1].copy()))
    clip = packed['data_samples']
    assert clip.metainfo == dict(
        recording=3, start=1, stop=4, seed=5, streamed=True, step_us=[50_000] * 3
    )
    (sample,) = clip
    assert (sample.step, sample.img_id, sample.img_path) == (1, 7, 'street_0000150ms.png')
    assert sample.gt_instances.bboxes.tolist() == [[25, 3, 30, 7], [19, 5, 22, 8]]
    assert sample.gt_instances.labels.tolist() == [2, 0]
    assert (sample.img_shape, sample.ori_shape) == ((24, 32), (48, 64))
    assert sample.instances == [
        dict(bbox=box, bbox_label=label, ignore_flag=0, still=still)
        for box, label, still in zip(boxes.tolist(), (2, 0), (False, True), strict=True)
    ]


def test_a_clip_without_labels(tmp_path: Path, write_recording) -> None:
    write_recording(tmp_path / 'street', 3, [2])
    results = dict(recording=0, start=0, stop=2, seed=5, streamed=False, name='street', frames=[])
    results.update(scale_factor=(1.0, 1.0), sequence=RVTSequence(tmp_path / 'street'))
    packed = PackClipInputs()(RandomFlipClip(1.0)(LoadEventClip()(results)))
    assert packed['inputs'].shape == (2, 20, 24, 32)
    assert len(packed['data_samples']) == 0


HEIGHT, WIDTH = 60, 80


def make(seed: int, streamed: bool, steps: int = 2) -> dict:
    """An object of counts 9 at 30..40, 20..36 on an empty background, boxed in each step."""
    events = np.zeros((steps, 2, HEIGHT, WIDTH), np.uint8)
    events[..., 20:36, 30:40] = 9
    box = np.array([[30, 20, 40, 36], [0, 0, 3, 3]], np.float32)
    frames = [
        dict(
            gt_bboxes=box.copy(),
            bboxes=box * 2,
            labels=np.array([4, 5]),
            still=np.array([False, True]),
        )
        for _ in range(steps)
    ]
    return dict(events=events, frames=frames, seed=seed, streamed=streamed)


def bounds(image: np.ndarray) -> np.ndarray:
    ys, xs = np.nonzero(image)
    return np.array([xs.min(), ys.min(), xs.max() + 1, ys.max() + 1])


@pytest.mark.parametrize('streamed', [False, True])
def test_boxes_stay_with_their_objects(streamed: bool) -> None:
    zoom = RandomZoomClip(prob=1.0, stream_prob=1.0, zoom_in_share=0.5)
    areas = []
    for seed in range(60):
        results = zoom(make(seed, streamed))
        assert results['events'].shape == (2, 2, HEIGHT, WIDTH)
        for step, frame in zip(results['events'], results['frames'], strict=True):
            index = frame['labels'].tolist().index(4)
            found = bounds(step[0])
            assert np.abs(found - frame['gt_bboxes'][index]).max() <= 1.5
            assert len({len(frame[key]) for key in ('gt_bboxes', 'bboxes', 'labels', 'still')}) == 1
            areas.append(float(np.prod(found[2:] - found[:2])))
    assert min(areas) < 10 * 16 * 0.9, 'some are shrunk'
    assert (max(areas) > 10 * 16 * 1.3) == (not streamed), 'only clips on their own are magnified'


def test_streams_change_as_a_whole() -> None:
    zoom = RandomZoomClip(stream_prob=1.0)
    for seed in range(5):
        first, second = zoom(make(seed, True)), zoom(make(seed, True, steps=3))
        assert (bounds(first['events'][0, 0]) == bounds(second['events'][2, 0])).all()


def test_probabilities() -> None:
    zoom = RandomZoomClip(prob=0.0, stream_prob=0.5)
    untouched = make(0, True)['events']
    assert all((zoom(make(s, False))['events'] == untouched).all() for s in range(20))
    changed = [not np.array_equal(zoom(make(s, True))['events'], untouched) for s in range(100)]
    assert 30 < sum(changed) < 70


def test_a_clip_without_objects_is_not_magnified() -> None:
    clip = make(0, False)
    for frame in clip['frames']:
        frame.update({key: frame[key][:0] for key in ('gt_bboxes', 'bboxes', 'labels', 'still')})
    results = RandomZoomClip(prob=1.0, zoom_in_share=1.0)(clip)
    assert np.array_equal(results['events'], make(0, False)['events'])


@pytest.mark.parametrize('zoom_in', [(1.0, 1.5), (1.5, 4.0)])
def test_the_chosen_object_is_whole(zoom_in: tuple[float, float]) -> None:
    """All four corner pixels of the only object, of any size and place, are still there."""
    zoom = RandomZoomClip(prob=1.0, zoom_in_share=1.0, zoom_in=zoom_in)
    rng = np.random.default_rng(0)
    factors = []
    for seed in range(300):
        sides = rng.integers(2, (WIDTH, HEIGHT), endpoint=True)
        if seed % 2:
            sides = rng.integers(2, 12, 2)
        x, y = rng.integers(0, np.array([WIDTH, HEIGHT]) - sides + 1)
        right, bottom = x + sides[0] - 1, y + sides[1] - 1
        clip = make(seed, False, steps=1)
        clip['events'][:] = 0
        for value, place in enumerate(((y, x), (y, right), (bottom, x), (bottom, right)), 1):
            clip['events'][0, 0][place] = value
        over = rng.random(2) * (rng.random(2) < 0.2)  # a label may lie over the border
        box = np.array([[x, y, right + 1 + over[0], bottom + 1 + over[1]]], np.float32)
        box[:, :2] += 0.4  # and begin within a pixel
        (frame,) = clip['frames']
        frame.update({key: frame[key][:1] for key in ('labels', 'still', 'bboxes')}, gt_bboxes=box)
        results = zoom(clip)
        assert {1, 2, 3, 4} <= set(np.unique(results['events'])), (seed, box)
        assert results['events'].shape == (1, 2, HEIGHT, WIDTH)
        (moved,) = results['frames'][0]['gt_bboxes']
        factors.append((moved[2] - moved[0]) / sides[0])
    assert max(factors) > zoom_in[1] * 0.9 and min(factors) < 1.1, 'huge ones cannot grow'


@pytest.mark.parametrize('size', [(80, 60), (67, 51), (120, 75), (40, 30)])
def test_resampling_is_nearest_exact(size: tuple[int, int]) -> None:
    events = np.random.default_rng(0).integers(0, 9, (2, 3, HEIGHT, WIDTH), dtype=np.uint8)
    expected = interpolate(torch.from_numpy(events), size=size[::-1], mode='nearest-exact')
    assert np.array_equal(resample(events, np.array(size)), expected.numpy())


def test_what_is_no_clip_is_told_what_to_do() -> None:
    """An image, as MMDetection's demo gives; and a pipeline in another order."""
    with pytest.raises(UserError, match=r'got street\.png: .* abc-mmdet predict \(tools/infer\.py'):
        LoadEventClip().transform(dict(img_path='street.png'))
    clip = dict(sequence=None, name='street', start=0, stop=1)
    with pytest.raises(UserError, match=r"clip of street has no 'events' .* begins with LoadEvent"):
        RandomFlipClip().transform(clip)
