import copy
import itertools

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from abc_mmdet.datasets.transforms import SmallObjectCopyPaste
from abc_mmdet.errors import UserError
from mmdet.datasets.transforms import PackDetInputs
from mmdet.registry import TRANSFORMS
from mmdet.structures.bbox import HorizontalBoxes

CLASSES = ('car', 'person', 'bicycle')
BOX = st.tuples(st.floats(0, 90), st.floats(0, 60), st.floats(0.5, 30), st.floats(0.5, 30))


def results(boxes: list[tuple], labels: list[int] | None = None, ignored: tuple = ()) -> dict:
    """A noisy image of 120 x 90 px with boxes given as x, y, width, height."""
    rng = np.random.default_rng(len(boxes))
    corners = np.array([[x, y, x + w, y + h] for x, y, w, h in boxes], np.float32)
    if labels is None:
        labels = [i % 3 for i in range(len(boxes))]
    return dict(
        img=rng.integers(0, 256, (90, 120, 3), dtype=np.uint8),
        gt_bboxes=HorizontalBoxes(torch.from_numpy(corners.reshape(-1, 4))),
        gt_bboxes_labels=np.array(labels, np.int64),
        gt_ignore_flags=np.array([i in ignored for i in range(len(boxes))], bool),
        img_shape=(90, 120),
    )


def paste(before: dict, seed: int = 0, **options) -> dict:
    options = {**dict(num_objects=(4, 4), max_misfit=None), **options}
    np.random.seed(seed)
    return SmallObjectCopyPaste(**options)(copy.deepcopy(before))


def corners(of: dict) -> list[list[float]]:
    return of['gt_bboxes'].tensor.tolist()


def overlap(a: list[float], b: list[float]) -> float:
    """Area in common, pixel parts rounded to whole pixels."""
    (ax1, ay1), (ax2, ay2) = np.floor(a[:2]), np.ceil(a[2:])
    (bx1, by1), (bx2, by2) = np.floor(b[:2]), np.ceil(b[2:])
    return max(0, min(ax2, bx2) - max(ax1, bx1)) * max(0, min(ay2, by2) - max(ay1, by1))


@given(
    boxes=st.lists(BOX, max_size=8),
    other=st.lists(BOX, max_size=4),
    ignored=st.sets(st.integers(0, 7), max_size=2),
    seed=st.integers(0, 1000),
    position=st.sampled_from(['row', 'uniform']),
    margin=st.integers(0, 4),
    feather=st.booleans(),
)
def test_copies_cover_nothing_and_are_labelled(
    boxes, other, ignored, seed, position, margin, feather
) -> None:
    before = results(boxes, ignored=tuple(ignored))
    before['mix_results'] = [results(other)]
    options = dict(
        small_classes=('person', 'bicycle'),
        classes=CLASSES,
        max_area=400.0,
        position=position,
        margin=margin,
        feather=feather,
    )
    after = paste(before, seed, **options)
    count = len(boxes)
    assert corners(after)[:count] == corners(before)
    assert after['gt_bboxes_labels'][:count].tolist() == before['gt_bboxes_labels'].tolist()
    assert after['gt_ignore_flags'][:count].tolist() == before['gt_ignore_flags'].tolist()
    assert len(corners(after)) == len(after['gt_bboxes_labels']) == len(after['gt_ignore_flags'])
    assert count <= len(corners(after)) <= count + 4

    added = corners(after)[count:]
    assert not after['gt_ignore_flags'][count:].any()
    assert set(after['gt_bboxes_labels'][count:].tolist()) <= {1, 2}
    for x1, y1, x2, y2 in added:
        assert 0 <= x1 < x2 <= 120
        assert 0 <= y1 < y2 <= 90
    for a, b in itertools.product(added, corners(before)):
        assert overlap(a, b) == 0
    for a, b in itertools.combinations(added, 2):
        assert overlap(a, b) == 0

    unchanged = (before['img'] == after['img']).all(-1)
    for x1, y1, x2, y2 in np.array(corners(before)).reshape(-1, 4):
        rows, columns = (slice(int(a), int(np.ceil(b))) for a, b in ((y1, y2), (x1, x2)))
        assert unchanged[rows, columns].all(), 'pixels of what was there are as they were'
    changed = np.argwhere(~unchanged)[:, ::-1]
    in_a_patch = np.zeros(len(changed), bool)
    reach = 2 * margin + 2  # at most, with the scale and parts of pixels
    for x1, y1, x2, y2 in added:
        low, high = [x1 - reach, y1 - reach], [x2 + reach, y2 + reach]
        in_a_patch |= ((changed >= low) & (changed <= high)).all(1)
    assert in_a_patch.all()


@given(seed=st.integers(0, 1000))
def test_a_seed_gives_one_result(seed: int) -> None:
    before = results([(20, 20, 8, 9), (60, 40, 12, 5)])
    first, second = paste(before, seed), paste(before, seed)
    assert np.array_equal(first['img'], second['img'])
    assert corners(first) == corners(second)
    assert len(corners(first)) == 6
    assert corners(paste(before, seed + 1)) != corners(first)


def test_copy_shows_the_object() -> None:
    before = results([(20, 30, 6, 5)], labels=[2])
    before['img'][30:35, 20:26] = [1, 2, 3]
    after = paste(
        before, num_objects=(3, 3), scale_range=(1, 1), max_area=None, small_classes='all'
    )
    assert after['gt_bboxes_labels'].tolist() == [2] * 4
    for x1, y1, x2, y2 in np.array(corners(after)).astype(int):
        assert (x2 - x1, y2 - y1) == (6, 5)
        assert (after['img'][y1:y2, x1:x2] == [1, 2, 3]).all()


@pytest.mark.parametrize(
    ('boxes', 'ignored'),
    [
        ([(20, 20, 40, 30)], ()),  # too large
        ([(1, 20, 8, 8)], ()),  # its margin is cut off
        ([(20, 20, 8, 8), (29, 20, 8, 8)], ()),  # in each other's margin
        ([(20, 20, 8, 8)], (0,)),
        ([(10, 10, 40, 40), (20, 20, 8, 8)], (0,)),
        ([(20, 20, 0.4, 8)], ()),
        ([], ()),
    ],
    ids=['large', 'cut off', 'close together', 'ignored', 'in an ignored region', 'thin', 'none'],
)
def test_what_is_not_copied(boxes: list, ignored: tuple) -> None:
    before = results(boxes, ignored=ignored)
    after = paste(before)
    assert np.array_equal(after['img'], before['img'])
    assert corners(after) == corners(before)


def test_rows_are_kept_and_uniform_copies_go_anywhere() -> None:
    before = results([(50, 60, 6, 6)])  # centre at 63 of 90
    heights = {}
    for position in ('row', 'uniform'):
        copies = [corners(paste(before, seed, position=position))[1:] for seed in range(30)]
        heights[position] = np.array([(y1 + y2) / 2 for boxes in copies for _, y1, _, y2 in boxes])
    assert abs(heights['row'].mean() - 63) < 2
    assert heights['row'].std() < 6
    assert heights['uniform'].std() > 15


def test_objects_go_where_the_surroundings_fit() -> None:
    before = results([(10, 20, 6, 6)])
    before['img'][:, :60] = 40  # a pavement on the left
    before['img'][:, 60:] = 200  # and a road on the right
    before['img'][20:26, 10:16] = 90
    for seed in range(10):
        for x1, _, x2, _ in corners(paste(before, seed, position='uniform'))[1:]:
            assert x1 < x2 <= 60
    from_the_left = dict(before, mix_results=[copy.deepcopy(before)])
    from_the_left['img'] = np.full_like(before['img'], 200)
    from_the_left['gt_bboxes'] = HorizontalBoxes(torch.zeros(0, 4))
    from_the_left['gt_bboxes_labels'] = np.zeros(0, np.int64)
    from_the_left['gt_ignore_flags'] = np.zeros(0, bool)
    assert len(corners(paste(from_the_left))) == 4
    assert len(corners(paste(from_the_left, max_misfit=25))) == 0


def test_probability_and_float_images() -> None:
    before = results([(20, 20, 8, 9)])
    before['img'] = before['img'].astype(np.float32) / 255
    assert sum(len(corners(paste(before, seed, prob=0.3))) > 1 for seed in range(100)) in range(
        18, 42
    )
    after = paste(before)
    assert after['img'].dtype == np.float32
    assert after['img'].max() <= 1
    packed = PackDetInputs(meta_keys=())(after)['data_samples']
    assert len(packed.gt_instances) == 5


class Images:
    """A data set of which every tenth image has a bicycle."""

    def __len__(self) -> int:
        return 100

    def get_data_info(self, index: int) -> dict:
        return dict(instances=[dict(bbox_label=2 if index % 10 == 0 else 0)])


def test_other_images_are_those_with_small_objects() -> None:
    options = dict(small_classes=('bicycle',), classes=CLASSES, num_other_images=50)
    np.random.seed(0)
    indices = SmallObjectCopyPaste(**options).get_indexes(Images())
    assert len(indices) == 50
    assert np.mean([index % 10 == 0 for index in indices]) > 0.7
    assert SmallObjectCopyPaste(num_other_images=0).get_indexes(Images()) == []


def test_masks_are_refused() -> None:
    with pytest.raises(UserError, match='with_mask'):
        paste(dict(results([(20, 20, 8, 9)]), gt_masks=None))


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (dict(small_classes=('person',)), 'add classes=classes'),
        (dict(small_classes=('scooter',), classes=CLASSES), 'scooter'),
        (dict(small_classes=(1,), classes=CLASSES), 'are ids'),
        (dict(max_area=None), 'needs small_classes, max_area or both'),
        (dict(max_area=-1), 'max_area=-1'),
        (dict(num_objects=(3, 1)), r'num_objects=\(3, 1\)'),
        (dict(position='left'), "position=left: give one of \\('row', 'uniform'\\)"),
        (dict(scale_range=(0, 1)), 'scale_range'),
    ],
)
def test_wrong_options_are_refused(options: dict, message: str) -> None:
    with pytest.raises(UserError, match=message):
        TRANSFORMS.build(dict(type='SmallObjectCopyPaste', **options))
