import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from abc_mmdet.evaluation.average_precision import coco_metrics
from abc_mmdet.evaluation.matching import AREAS

from .coco_reference import metrics_by_pycocotools
from .test_matching import CATEGORIES, random_scene

THRESHOLDS = np.linspace(0.5, 0.95, 10)


def truth(image: int, category: int, box: tuple, **more: object) -> dict:
    return dict(image_id=image, category_id=category, bbox=list(box), area=box[2] * box[3], **more)


def found(image: int, category: int, box: tuple, score: float) -> dict:
    return dict(image_id=image, category_id=category, bbox=list(box), score=score)


def evaluated(annotations: list, detections: list, categories=(0, 1), **options):
    return coco_metrics(
        [0, 1], categories, annotations, detections, THRESHOLDS, (100, 300), **options
    )


@pytest.mark.parametrize(
    ('side', 'size'),
    [(4, 'very_tiny'), (12, 'tiny'), (20, 'small'), (50, 'medium'), (200, 'large')],
)
def test_every_size_has_its_metric(side: int, size: str) -> None:
    box = (10, 10, side, side)
    result = evaluated([truth(0, 0, box)], [found(0, 0, box, 0.9)])
    for name in ('very_tiny', 'tiny', 'small', 'medium', 'large'):
        expected = 1.0 if name == size else float('nan')
        assert result.ap(area=name) == pytest.approx(expected, nan_ok=True)
    assert np.isnan(result.ap(area='s')) == (side > 32)
    assert np.isnan(result.ap(label=1)), 'no ground truth'
    assert result.mean_ap([0, 1]) == pytest.approx(1.0), 'which is left out of means'


def test_a_border_belongs_to_both_sizes_as_in_coco() -> None:
    box = (0, 0, 8, 8)
    result = evaluated([truth(0, 0, box)], [found(0, 0, box, 0.9)])
    assert result.ap(area='very_tiny') == result.ap(area='tiny') == pytest.approx(1.0)
    assert np.isnan(result.ap(area='small'))
    assert result.num_boxes[0].tolist() == [1, 1, 1, 0, 0, 0, 1]


def test_iou_decides() -> None:
    # overlap 8 of 10 + 10 - 8: IoU 2/3 passes 0.5 to 0.65
    result = evaluated([truth(0, 0, (0, 0, 10, 10))], [found(0, 0, (2, 0, 10, 10), 0.9)])
    assert result.ap(0.5) == pytest.approx(1.0)
    assert result.ap(0.75) == 0.0
    assert result.ap() == pytest.approx(0.4)


@pytest.mark.parametrize('mark', [1, True, 0.5, 1e308])
def test_ignored_boxes_count_neither_way(mark: float) -> None:
    boxes = [(0, 0, 20, 20), (50, 50, 20, 20)]
    annotations = [truth(0, 0, boxes[0], iscrowd=0), truth(0, 0, boxes[1], iscrowd=mark)]
    both = [found(0, 0, boxes[1], 0.9), found(0, 0, boxes[0], 0.8)]
    assert evaluated(annotations, both).ap() == pytest.approx(1.0), 'finding it is no mistake'
    assert evaluated(annotations, both[1:]).ap() == pytest.approx(1.0), 'missing it neither'
    assert evaluated(annotations, both).num_boxes[0, 0] == 1


def test_categories_in_any_order() -> None:
    annotations = [truth(0, 7, (0, 0, 20, 20)), truth(1, 3, (0, 0, 20, 20))]
    result = evaluated(annotations, [found(0, 7, (0, 0, 20, 20), 0.9)], categories=(7, 3))
    assert result.ap(label=0) == pytest.approx(1.0)
    assert result.ap(label=1) == 0.0


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10**6), max_dets=st.sampled_from([(2, 5), (100, 300)]))
def test_equals_pycocotools_to_the_last_bit(seed: int, max_dets: tuple[int, int]) -> None:
    """With crowds, equal scores, equal overlaps and images without boxes."""
    annotations, detections = random_scene(seed, images=5)
    args = (list(range(5)), CATEGORIES, annotations, detections, THRESHOLDS, max_dets)
    ours, theirs = coco_metrics(*args), metrics_by_pycocotools(*args)
    np.testing.assert_array_equal(ours.precision, theirs.precision)
    np.testing.assert_array_equal(ours.recall, theirs.recall)
    for column, area in enumerate(ours.areas):
        low, high = AREAS[area]
        for label, category in enumerate(CATEGORIES):
            counted = [
                a
                for a in annotations
                if a['category_id'] == category and not a['iscrowd'] and low <= a['area'] <= high
            ]
            assert ours.num_boxes[label, column] == len(counted)
