"""Kinds of mistakes by hand, and sums that hold for any detections."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from abc_mmdet.evaluation.error_kinds import outcome
from abc_mmdet.evaluation.matches_at import match
from abc_mmdet.report.test_set import TestSet

from .test_matches_at import CATEGORIES, random_scene


def scene(*truth: tuple) -> TestSet:
    test, _ = random_scene(0)
    boxes = [
        dict(image_id=0, category_id=CATEGORIES[label], bbox=[x, 0.0, 10.0, 10.0], area=100.0)
        for label, x in truth
    ]
    return TestSet(**{**vars_of(test), 'annotations': boxes})


def vars_of(test: TestSet) -> dict:
    return {name: getattr(test, name) for name in TestSet.__dataclass_fields__}


def found(*detections: tuple) -> list[dict]:
    return [
        dict(image_id=0, category_id=CATEGORIES[label], bbox=[x, 0.0, 10.0, 10.0], score=score)
        for label, x, score in detections
    ]


def test_each_kind_of_mistake() -> None:
    test = scene((0, 0.0), (0, 100.0), (1, 200.0), (2, 300.0))
    detections = found(
        (0, 0.0, 0.9),  # right
        (0, 1.0, 0.8),  # the same object again
        (0, 106.0, 0.7),  # IoU 0.25 with the second
        (0, 200.0, 0.6),  # an object of class 1
        (1, 400.0, 0.5),  # nothing there
        (2, 300.0, 0.2),  # right, but below the threshold
    )
    decided = outcome(test, detections, match(test, detections), 0.3)
    assert decided.false_alarms == {
        1: 'second box', 2: 'badly placed', 3: 'wrong class', 4: 'background'
    }  # fmt: skip
    assert decided.missed == [1, 2, 3]
    assert decided.taken_for == {2: 3}
    assert decided.confusion.tolist() == [
        [1, 0, 0, 1],
        [1, 0, 0, 0],
        [0, 0, 0, 1],
        [2, 1, 0, 0],
    ]


def test_own_class_comes_before_a_surer_detection_of_another() -> None:
    test = scene((0, 0.0))
    detections = found((1, 0.0, 0.9), (0, 0.0, 0.4))
    decided = outcome(test, detections, match(test, detections), 0.0)
    assert decided.confusion[0].tolist() == [1, 0, 0, 0]
    assert decided.false_alarms == {0: 'wrong class'}
    assert not decided.missed


@settings(max_examples=60)
@given(seed=st.integers(0, 10**6), threshold=st.sampled_from([0.0, 0.3, 0.8, 1.0]))
def test_sums(seed: int, threshold: float) -> None:
    test, detections = random_scene(seed)
    matches = match(test, detections)
    decided = outcome(test, detections, matches, threshold)
    counts = np.bincount(test.labels[test.counted], minlength=3)
    assert decided.confusion[:3].sum(axis=1).tolist() == counts.tolist(), 'rows are the objects'
    kept = np.bincount(matches.labels[decided.kept], minlength=3)
    assert decided.confusion[:, :3].sum(axis=0).tolist() == kept.tolist(), 'columns detections'
    right = int(np.trace(decided.confusion[:3, :3]))
    assert right == len(decided.kept) - len(decided.false_alarms)
    assert right == counts.sum() - len(decided.missed)
    assert set(decided.taken_for) <= set(decided.missed)
    assert all(matches.scores[d] >= threshold for d in decided.kept)
