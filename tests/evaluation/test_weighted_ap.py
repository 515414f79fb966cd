"""Against pycocotools, which is given every image as often as it was drawn."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from abc_mmdet.evaluation.average_precision import coco_figures
from abc_mmdet.evaluation.bootstrap import image_weights, resampled_ap
from abc_mmdet.evaluation.matching import match_table
from abc_mmdet.evaluation.weighted_ap import HEADLINE, average_precision, headline_ap

THRESHOLDS = np.linspace(0.5, 0.95, 10)
MAX_DETS = (3, 8)  # few, so that the limits bite
CATEGORIES = [4, 2, 9]
SMALL = (0, 2)


def boxes(rng: np.random.Generator, count: int, side: float) -> np.ndarray:
    corners = rng.uniform(0, 60, (count, 2))
    return np.concatenate([corners, rng.uniform(0.3, 1, (count, 2)) * side], axis=1)


def scene(seed: int, images: int, crowds: bool = False) -> tuple[list[dict], list[dict]]:
    """Annotations, and detections near them and elsewhere; one class is often missing."""
    rng = np.random.default_rng(seed)
    annotations, detections = [], []
    for image in range(images):
        for category in CATEGORIES[: rng.integers(1, 4)]:
            truth = boxes(rng, rng.integers(0, 5), side=rng.choice([12, 60]))
            noise = rng.normal(0, rng.choice([0.5, 3]), truth.shape)
            found = np.concatenate([truth + noise, truth, boxes(rng, rng.integers(0, 5), 40)])
            found[:, 2:] = found[:, 2:].clip(1)
            for box in truth:
                crowd = int(crowds and rng.random() < 0.3)
                annotations.append(
                    dict(
                        image_id=image,
                        category_id=category,
                        bbox=box.tolist(),
                        area=float(box[2] * box[3]),
                        iscrowd=crowd,
                    )
                )
            for box in found[rng.random(len(found)) < 0.7]:
                detections.append(
                    dict(
                        image_id=image,
                        category_id=category,
                        bbox=box.tolist(),
                        score=float(rng.random()),
                    )
                )
    return annotations, detections


def by_pycocotools(
    annotations: list[dict], detections: list[dict], counts: np.ndarray
) -> dict[str, float]:
    """The headline figures with ``counts[i]`` copies of image ``i``."""
    copies = [(old, new) for new, old in enumerate(np.repeat(np.arange(len(counts)), counts))]
    truth = [
        dict(a, image_id=new) for old, new in copies for a in annotations if a['image_id'] == old
    ]
    found = [
        dict(d, image_id=new) for old, new in copies for d in detections if d['image_id'] == old
    ]
    figures = coco_figures(
        list(range(len(copies))), CATEGORIES, truth, found, THRESHOLDS, MAX_DETS,
        areas=('all', 's'), backend='pycocotools',
    )  # fmt: skip
    return {
        'bbox_mAP_small_classes': figures.mean_ap(SMALL),
        'bbox_mAP_s': figures.ap(area='s'),
        'bbox_mAP': figures.ap(max_dets=MAX_DETS[0]),
    }


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10**6), images=st.integers(1, 6), crowds=st.booleans())
def test_equals_pycocotools_on_resampled_images(seed: int, images: int, crowds: bool) -> None:
    annotations, detections = scene(seed, images, crowds)
    table = match_table(
        range(images), CATEGORIES, annotations, detections, THRESHOLDS, MAX_DETS[-1]
    )
    weights = np.concatenate([np.ones((1, images), int), image_weights(images, 3)])
    ours = headline_ap(table, weights, SMALL, first=MAX_DETS[0])
    assert set(ours) == set(HEADLINE)
    for row, counts in enumerate(weights):
        theirs = by_pycocotools(annotations, detections, counts)
        for name in HEADLINE:
            assert ours[name][row] == pytest.approx(theirs[name], abs=1e-9, nan_ok=True), name


def test_ties_within_an_image_and_equal_overlaps() -> None:
    """The order among equal scores and equal IoUs is COCO's."""
    box = [10.0, 10.0, 20.0, 20.0]
    truth = [
        dict(image_id=i, category_id=c, bbox=box, area=400.0, iscrowd=0)
        for i in range(3)
        for c in (4, 4, 2, 9)
    ]
    found = [
        dict(image_id=i, category_id=c, bbox=[10.0, 10.0, side, 20.0], score=0.5)
        for i in range(3)
        for c in CATEGORIES
        for side in (20.0, 19.0, 8.0, 20.0)
    ]
    table = match_table(range(3), CATEGORIES, truth, found, THRESHOLDS, MAX_DETS[-1])
    ours = headline_ap(table, np.ones((1, 3), int), SMALL, first=MAX_DETS[0])
    theirs = by_pycocotools(truth, found, np.ones(3, int))
    assert {name: ap[0] for name, ap in ours.items()} == pytest.approx(theirs)


def test_nothing_found_and_nothing_there() -> None:
    truth = [dict(image_id=0, category_id=4, bbox=[0, 0, 9, 9], area=81.0, iscrowd=0)]
    table = match_table(range(2), CATEGORIES, truth, [], THRESHOLDS, 10)
    weights = np.array([[1, 1], [0, 2]])
    np.testing.assert_equal(average_precision(table['all'][0], weights), [0.0, np.nan])
    np.testing.assert_equal(average_precision(table['all'][1], weights), [np.nan, np.nan])


def test_resamples_do_not_depend_on_chunks(monkeypatch) -> None:
    annotations, detections = scene(seed=5, images=6)
    table = match_table(range(6), CATEGORIES, annotations, detections, THRESHOLDS, 100)
    whole = resampled_ap(table, SMALL, resamples=50)
    monkeypatch.setattr('abc_mmdet.evaluation.bootstrap.CHUNK', 7)
    parts = resampled_ap(table, SMALL, resamples=50)
    for name in HEADLINE:
        np.testing.assert_array_equal(whole[name], parts[name])
