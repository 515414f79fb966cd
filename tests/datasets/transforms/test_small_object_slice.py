"""SmallObjectSlice against what its description says."""

import copy

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from abc_mmdet.datasets.transforms import SmallObjectSlice
from abc_mmdet.errors import UserError
from mmdet.datasets.transforms import PackDetInputs
from mmdet.registry import TRANSFORMS
from mmdet.structures.bbox import HorizontalBoxes

CLASSES = ('car', 'person', 'bicycle')
IMAGE = (90, 120)  # height, width
BOX = st.tuples(st.integers(0, 100), st.integers(0, 80), st.integers(1, 20), st.integers(1, 10))


def results(boxes: list[tuple], ignored: set = frozenset()) -> dict:
    """An image whose pixels tell their place, with boxes given as x, y, width, height."""
    place = np.stack(np.mgrid[: IMAGE[0], : IMAGE[1]], axis=-1).astype(np.uint8)
    corners = np.array([[x, y, x + w, y + h] for x, y, w, h in boxes], np.float32)
    return dict(
        img=np.concatenate([place, np.zeros((*IMAGE, 1), np.uint8)], axis=-1),
        img_shape=IMAGE,
        gt_bboxes=HorizontalBoxes(torch.from_numpy(corners.reshape(-1, 4))),
        gt_bboxes_labels=np.arange(len(boxes)) % 3,
        gt_ignore_flags=np.array([i in ignored for i in range(len(boxes))], bool),
        gt_instances_ids=np.arange(len(boxes)),
    )


def cut(before: dict, seed: int = 0, **options) -> dict:
    np.random.seed(seed)
    return SmallObjectSlice(**options)(copy.deepcopy(before))


@given(
    boxes=st.lists(BOX, max_size=8),
    ignored=st.sets(st.integers(0, 7), max_size=3),
    size=st.tuples(st.integers(1, 140), st.integers(1, 100)),
    small_prob=st.sampled_from([0, 0.5, 1]),
    min_visible=st.sampled_from([0, 0.25, 1]),
    seed=st.integers(0, 1000),
)
def test_what_is_in_the_slice(boxes, ignored, size, small_prob, min_visible, seed) -> None:
    before = results(boxes, ignored)
    after = cut(before, seed, size=size, small_prob=small_prob, min_visible=min_visible)
    height, width = min(size[1], IMAGE[0]), min(size[0], IMAGE[1])
    assert after['img'].shape[:2] == after['img_shape'] == (height, width)
    top, left = after['img'][0, 0, :2].astype(int)
    np.testing.assert_array_equal(
        after['img'], before['img'][top : top + height, left : left + width]
    )
    expected = {}
    for i, (x, y, w, h) in enumerate(boxes):
        x1, y1, x2, y2 = x - left, y - top, x + w - left, y + h - top
        clipped = [max(x1, 0), max(y1, 0), min(x2, width), min(y2, height)]
        sides = max(clipped[2] - clipped[0], 0), max(clipped[3] - clipped[1], 0)
        share = sides[0] * sides[1] / (w * h)
        if share > 0 and (share >= min_visible or i in ignored):
            expected[i] = clipped
    assert after['gt_instances_ids'].tolist() == list(expected)
    np.testing.assert_allclose(
        after['gt_bboxes'].tensor.numpy(), np.array(list(expected.values())).reshape(-1, 4)
    )
    assert after['gt_bboxes_labels'].tolist() == [i % 3 for i in expected]
    assert after['gt_ignore_flags'].tolist() == [i in ignored for i in expected]
    PackDetInputs(meta_keys=('img_shape',))(after)


@given(BOX, st.integers(0, 1000), st.tuples(st.integers(21, 60), st.integers(11, 60)))
def test_the_small_object_is_inside(box, seed, size) -> None:
    after = cut(results([box]), seed, size=size, small_prob=1)
    assert len(after['gt_bboxes']) == 1
    inside = min(box[0] + box[2], IMAGE[1]) - box[0], min(box[1] + box[3], IMAGE[0]) - box[1]
    (corners,) = after['gt_bboxes'].tensor.tolist()
    assert (corners[2] - corners[0], corners[3] - corners[1]) == inside


def test_the_small_object_may_be_anywhere_in_the_slice() -> None:
    starts = []
    for seed in range(300):
        after = cut(results([(60, 40, 4, 4)]), seed, size=(30, 24), small_prob=1)
        starts.append(after['gt_bboxes'].tensor[0, :2].tolist())
    x, y = np.array(starts, int).T
    assert set(x) == set(range(27)) and set(y) == set(range(21))


def test_an_object_larger_than_the_slice_fills_it() -> None:
    after = cut(results([(20, 30, 60, 50)]), size=(20, 20), small_prob=1, max_area=1e9)
    assert len(after['gt_bboxes']) == 0, 'too little of it is visible'
    after = cut(
        results([(20, 30, 60, 50)]), size=(20, 20), small_prob=1, max_area=1e9, min_visible=0
    )
    assert after['gt_bboxes'].tensor.tolist() == [[0, 0, 20, 20]]


@pytest.mark.parametrize(
    ('options', 'wanted'),
    [
        (dict(small_classes=('person',), classes=CLASSES, max_area=None), {1}),
        (dict(small_classes=('person', 'bicycle'), classes=CLASSES), {1, 2}),
        (dict(max_area=30), {0, 1}),
        (dict(small_classes='all', max_area=None), {0, 1, 2}),
    ],
)
def test_which_objects_are_looked_for(options: dict, wanted: set) -> None:
    # Far from each other: a slice shows one of them or none
    before = results([(0, 0, 5, 5), (60, 40, 5, 5), (110, 80, 9, 9), (0, 80, 4, 4)], ignored={3})
    seen = [
        tuple(cut(before, seed, size=(20, 20), small_prob=1, **options)['gt_instances_ids'])
        for seed in range(60)
    ]
    assert {i for ids in seen for i in ids} - {3} == wanted
    assert all(ids for ids in seen)


def test_how_often_it_is_looked_for() -> None:
    before = results([(116, 86, 3, 3)])  # in one of about 8000 slices by chance

    def share(small_prob: float) -> float:
        found = [
            len(cut(before, seed, size=(8, 8), small_prob=small_prob)['gt_bboxes'])
            for seed in range(300)
        ]
        return float(np.mean(found))

    assert share(1) == 1
    assert share(0) < 0.05
    assert 0.4 < share(0.5) < 0.6


def test_is_registered_and_tells_its_classes() -> None:
    options = dict(small_classes=('person',), classes=CLASSES, size=(64, 64))
    assert TRANSFORMS.build(dict(type='SmallObjectSlice', **options)).classes == CLASSES


@pytest.mark.parametrize(
    ('options', 'words'),
    [
        (dict(size=(0, 9)), r'SmallObjectSlice size=\(0, 9\)'),
        (dict(small_prob=2), 'small_prob=2: give a probability'),
        (dict(min_visible=-1), 'min_visible=-1'),
        (dict(max_area=0), 'SmallObjectSlice max_area=0'),
        (dict(max_area=None), 'SmallObjectSlice needs small_classes, max_area or both'),
        (dict(small_classes=('person',)), 'add classes=classes'),
        (dict(small_classes=('tram',), classes=CLASSES), 'tram'),
        (dict(small_classes=(1,), classes=CLASSES), 'are ids'),
    ],
)
def test_wrong_options(options: dict, words: str) -> None:
    with pytest.raises(UserError, match=words):
        SmallObjectSlice(**{'size': (64, 64), **options})
