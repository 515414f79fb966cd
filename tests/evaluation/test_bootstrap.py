"""AP of resampled images against pycocotools, which is given every image as often as drawn."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from abc_mmdet.evaluation.average_precision import average_precision
from abc_mmdet.evaluation.bootstrap import (
    HEADLINE,
    difference_interval,
    headline_ap,
    image_weights,
    resampled_ap,
)
from abc_mmdet.evaluation.matching import match

from .coco_reference import metrics_by_pycocotools

THRESHOLDS = np.linspace(0.5, 0.95, 10)
MAX_DETS = (3, 8)  # few, so that the limits bite
CATEGORIES = [4, 2, 9]
SMALL = (0, 2)
AREAS = ('all', 's')


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
    """The headline metrics with ``counts[i]`` copies of image ``i``."""
    copies = [(old, new) for new, old in enumerate(np.repeat(np.arange(len(counts)), counts))]
    truth = [
        dict(a, image_id=new) for old, new in copies for a in annotations if a['image_id'] == old
    ]
    found = [
        dict(d, image_id=new) for old, new in copies for d in detections if d['image_id'] == old
    ]
    metrics = metrics_by_pycocotools(
        list(range(len(copies))), CATEGORIES, truth, found, THRESHOLDS, MAX_DETS, areas=AREAS
    )
    return {
        'bbox_mAP_small_classes': metrics.mean_ap(SMALL),
        'bbox_mAP_s': metrics.ap(area='s'),
        'bbox_mAP': metrics.ap(max_dets=MAX_DETS[0]),
    }


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10**6), images=st.integers(1, 6), crowds=st.booleans())
def test_equals_pycocotools_on_resampled_images(seed: int, images: int, crowds: bool) -> None:
    annotations, detections = scene(seed, images, crowds)
    table = match(
        range(images), CATEGORIES, annotations, detections, THRESHOLDS, MAX_DETS[-1], AREAS
    )
    weights = np.concatenate([np.ones((1, images), int), image_weights(images, 3)])
    ours = headline_ap(table, weights, SMALL, (MAX_DETS[0], None))
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
    table = match(range(3), CATEGORIES, truth, found, THRESHOLDS, MAX_DETS[-1], AREAS)
    ours = headline_ap(table, np.ones((1, 3), int), SMALL, (MAX_DETS[0], None))
    theirs = by_pycocotools(truth, found, np.ones(3, int))
    assert {name: ap[0] for name, ap in ours.items()} == pytest.approx(theirs)


def test_nothing_found_and_nothing_there() -> None:
    truth = [dict(image_id=0, category_id=4, bbox=[0, 0, 9, 9], area=81.0, iscrowd=0)]
    table = match(range(2), CATEGORIES, truth, [], THRESHOLDS, 10)
    weights = np.array([[1, 1], [0, 2]])
    np.testing.assert_equal(average_precision(table['all'][0], weights), [0.0, np.nan])
    np.testing.assert_equal(average_precision(table['all'][1], weights), [np.nan, np.nan])


def test_resamples_do_not_depend_on_chunks(monkeypatch) -> None:
    annotations, detections = scene(seed=5, images=6)
    table = match(range(6), CATEGORIES, annotations, detections, THRESHOLDS, 100, AREAS)
    whole = resampled_ap(table, SMALL, resamples=50)
    monkeypatch.setattr('abc_mmdet.evaluation.bootstrap.CHUNK', 7)
    parts = resampled_ap(table, SMALL, resamples=50)
    for name in HEADLINE:
        np.testing.assert_array_equal(whole[name], parts[name])


def test_image_weights_are_draws_with_replacement() -> None:
    weights = image_weights(40, 500)
    assert (weights.sum(axis=1) == 40).all()
    assert weights.mean(axis=0) == pytest.approx(1, abs=0.2)
    assert weights.var() == pytest.approx(1 - 1 / 40, abs=0.03)  # of a binomial (n, 1/n)
    np.testing.assert_array_equal(weights, image_weights(40, 500))


def normal(rng: np.random.Generator, centre: float, spread: float) -> np.ndarray:
    return rng.normal(centre, spread, 4000)


def test_what_both_share_cancels() -> None:
    """Hard images are hard for both models: the interval is that of the difference."""
    rng = np.random.default_rng(0)
    shared = {seed: normal(rng, 0.3, 0.05) for seed in range(3)}
    better = {seed: values + 0.01 for seed, values in shared.items()}
    assert difference_interval(better, shared) == pytest.approx((0.01, 0.01), abs=1e-9)


def test_one_seed_gives_the_interval_over_images() -> None:
    rng = np.random.default_rng(0)
    low, high = difference_interval({7: normal(rng, 0.02, 0.01)}, {7: np.zeros(4000)})
    assert low == pytest.approx(0.02 - 1.96 * 0.01, abs=1e-3)
    assert high == pytest.approx(0.02 + 1.96 * 0.01, abs=1e-3)


def test_seeds_and_images_both_widen_the_interval() -> None:
    """The variance of a mean over n seeds is that of seeds / n (unbiased) and that of images."""
    rng = np.random.default_rng(0)
    of_seeds = np.array([0.00, 0.03, 0.05, 0.01])
    of_images = normal(rng, 0, 0.004)  # the same for all seeds
    ours = {seed: value + of_images for seed, value in enumerate(of_seeds)}
    low, high = difference_interval(ours, dict.fromkeys(ours, np.zeros(4000)), level=0.6827)
    expected = np.sqrt(of_seeds.var(ddof=1) / len(of_seeds) + 0.004**2)
    assert (high - low) / 2 == pytest.approx(expected, rel=0.08)
    assert (high + low) / 2 == pytest.approx(of_seeds.mean(), abs=0.002)


def test_only_seeds_that_both_have_are_compared() -> None:
    zeros = np.zeros(10)
    ours = {0: zeros + 0.01, 1: zeros + 0.01, 2: zeros + 9}
    assert difference_interval(ours, {0: zeros, 1: zeros, 3: zeros - 9}) == pytest.approx(
        (0.01, 0.01)
    )
