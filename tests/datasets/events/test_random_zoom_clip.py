"""A marked object must stay under its box, and streams must change as a whole."""

import numpy as np
import pytest
import torch
from torch.nn.functional import interpolate

from abc_mmdet.datasets.events.random_zoom_clip import RandomZoomClip, resample

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
