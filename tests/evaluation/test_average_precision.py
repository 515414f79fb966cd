import importlib.util

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from abc_mmdet.errors import UserError
from abc_mmdet.evaluation.average_precision import AREAS, coco_figures

THRESHOLDS = np.linspace(0.5, 0.95, 10)


def truth(image: int, category: int, box: tuple, **more: object) -> dict:
    return dict(image_id=image, category_id=category, bbox=list(box), area=box[2] * box[3], **more)


def found(image: int, category: int, box: tuple, score: float) -> dict:
    return dict(image_id=image, category_id=category, bbox=list(box), score=score)


def figures(annotations: list, detections: list, categories=(0, 1), **options):
    return coco_figures(
        [0, 1], categories, annotations, detections, THRESHOLDS, (100, 300), **options
    )


@pytest.mark.parametrize(
    ('side', 'size'),
    [(4, 'very_tiny'), (12, 'tiny'), (20, 'small'), (50, 'medium'), (200, 'large')],
)
@pytest.mark.parametrize('backend', ['auto', 'pycocotools'])
def test_every_size_has_its_figure(side: int, size: str, backend: str) -> None:
    box = (10, 10, side, side)
    result = figures([truth(0, 0, box)], [found(0, 0, box, 0.9)], backend=backend)
    for name in ('very_tiny', 'tiny', 'small', 'medium', 'large'):
        expected = 1.0 if name == size else float('nan')
        assert result.ap(area=name) == pytest.approx(expected, nan_ok=True)
    assert np.isnan(result.ap(area='s')) == (side > 32)
    assert np.isnan(result.ap(label=1)), 'no ground truth'
    assert result.mean_ap([0, 1]) == pytest.approx(1.0), 'which is left out of means'


def test_a_border_belongs_to_both_sizes_as_in_coco() -> None:
    box = (0, 0, 8, 8)
    result = figures([truth(0, 0, box)], [found(0, 0, box, 0.9)])
    assert result.ap(area='very_tiny') == result.ap(area='tiny') == 1.0
    assert np.isnan(result.ap(area='small'))
    assert result.num_boxes[0].tolist() == [1, 1, 1, 0, 0, 0, 1]


def test_iou_decides() -> None:
    # overlap 8 of 10 + 10 - 8: IoU 2/3 passes 0.5 to 0.65
    result = figures([truth(0, 0, (0, 0, 10, 10))], [found(0, 0, (2, 0, 10, 10), 0.9)])
    assert result.ap(0.5) == 1.0
    assert result.ap(0.75) == 0.0
    assert result.ap() == pytest.approx(0.4)


@pytest.mark.parametrize('mark', [1, True, 0.5, 1e308])
def test_ignored_boxes_count_neither_way(mark: float) -> None:
    boxes = [(0, 0, 20, 20), (50, 50, 20, 20)]
    annotations = [truth(0, 0, boxes[0], iscrowd=0), truth(0, 0, boxes[1], iscrowd=mark)]
    both = [found(0, 0, boxes[1], 0.9), found(0, 0, boxes[0], 0.8)]
    assert figures(annotations, both).ap() == 1.0, 'finding it is no mistake'
    assert figures(annotations, both[1:]).ap() == 1.0, 'missing it neither'
    assert figures(annotations, both).num_boxes[0, 0] == 1


def test_categories_in_any_order() -> None:
    annotations = [truth(0, 7, (0, 0, 20, 20)), truth(1, 3, (0, 0, 20, 20))]
    result = figures(annotations, [found(0, 7, (0, 0, 20, 20), 0.9)], categories=(7, 3))
    assert result.ap(label=0) == 1.0
    assert result.ap(label=1) == 0.0


boxes = st.tuples(*[st.integers(0, 60)] * 2, *[st.integers(1, 120)] * 2)


@pytest.mark.skipif(
    importlib.util.find_spec('faster_coco_eval') is None, reason='faster-coco-eval is missing'
)
@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 1), st.integers(0, 1), boxes, st.booleans()), max_size=12),
    st.lists(st.tuples(st.integers(0, 1), st.integers(0, 1), boxes), max_size=20),
    st.integers(0, 99),
)
def test_backends_are_equal(annotations: list, detections: list, seed: int) -> None:
    scores = np.random.default_rng(seed).permutation(len(detections)) / 20
    annotations = [truth(i, c, b, iscrowd=int(crowd)) for i, c, b, crowd in annotations]
    detections = [found(i, c, b, s) for (i, c, b), s in zip(detections, scores, strict=True)]
    # some of the ground truth is found, more or less
    for k, a in enumerate(annotations[::2]):
        x, y, w, h = a['bbox']
        box = x + 1, y, w, h + 1
        detections.append(found(a['image_id'], a['category_id'], box, 0.5 + k / 99))
    ours, theirs = (
        figures(annotations, detections, backend=name)
        for name in ('faster_coco_eval', 'pycocotools')
    )
    np.testing.assert_allclose(ours.precision, theirs.precision, atol=1e-9)
    for area in AREAS:
        np.testing.assert_allclose(ours.ap(area=area), theirs.ap(area=area), atol=1e-9)


def test_unknown_backend() -> None:
    with pytest.raises(UserError, match='pycocotools'):
        figures([], [], backend='numpy')
