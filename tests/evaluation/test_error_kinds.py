"""Kinds of errors by hand, those that TIDE's toolbox counts, and sums that hold always."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from abc_mmdet.evaluation.error_kinds import KINDS, DetectionErrors, detection_errors, match_at

from .test_matching import CATEGORIES, random_scene


def objects(*truth: tuple) -> list[dict]:
    return [
        dict(image_id=0, category_id=CATEGORIES[label], bbox=[x, 0.0, 10.0, 10.0], area=100.0)
        for label, x in truth
    ]


def found(*detections: tuple) -> list[dict]:
    return [
        dict(image_id=0, category_id=CATEGORIES[label], bbox=[x, 0.0, 10.0, 10.0], score=score)
        for label, x, score in detections
    ]


def errors(annotations: list, detections: list, threshold: float = 0.0) -> DetectionErrors:
    matches = match_at(0.5, CATEGORIES, annotations, detections)
    return detection_errors(annotations, detections, matches, 3, threshold)


def test_each_kind_of_error() -> None:
    truth = objects((0, 0.0), (0, 100.0), (1, 200.0), (2, 300.0), (1, 500.0), (2, 600.0))
    detections = found(
        (0, 0.0, 0.9),  # right
        (0, 1.0, 0.8),  # the same object again
        (0, 106.0, 0.7),  # IoU 0.25 with the second
        (0, 200.0, 0.6),  # an object of class 1
        (1, 400.0, 0.5),  # nothing there
        (0, 506.0, 0.45),  # IoU 0.25 with an object of class 1
        (2, 300.0, 0.2),  # right, but below the threshold
    )
    decided = errors(truth, detections, 0.3)
    assert decided.false_positives == {1: 'Dupe', 2: 'Loc', 3: 'Cls', 4: 'Bkg', 5: 'Both'}
    assert decided.false_negatives == [1, 2, 3, 4, 5]
    assert decided.missed == [3, 4, 5], 'the second and third would be found without Loc and Cls'
    assert decided.counts == dict(Cls=1, Loc=1, Both=1, Dupe=1, Bkg=1, Miss=3)
    assert list(decided.counts) == list(KINDS)
    assert decided.taken_for == {2: 3}
    assert decided.confusion.tolist() == [
        [1, 0, 0, 1],
        [1, 0, 0, 1],
        [0, 0, 0, 2],
        [3, 1, 0, 0],
    ]


@pytest.mark.parametrize(
    ('shift', 'kind'),
    # Boxes of 10 pixels' width: IoU is (10 - shift) / (10 + shift)
    [(3.0, 'Dupe'), (4.0, 'Loc'), (8.0, 'Loc'), (8.5, 'Bkg'), (50.0, 'Bkg')],
)
def test_iou_with_an_object_that_has_been_found(shift: float, kind: str) -> None:
    decided = errors(objects((0, 0.0)), found((0, 0.0, 0.9), (0, shift, 0.8)))
    assert decided.false_positives == {1: kind}
    assert not decided.missed


def test_wrong_place_comes_before_wrong_class() -> None:
    """In the order of TIDE's toolbox: both would mend it, it is counted once."""
    decided = errors(objects((0, 6.0), (1, 0.0)), found((0, 0.0, 0.9)))
    assert decided.false_positives == {0: 'Loc'}
    assert decided.false_negatives == [0, 1]
    assert decided.missed == [1]
    assert decided.taken_for == {1: 0}, 'the confusion matrix shows what it stands on'


def test_own_class_comes_before_a_surer_detection_of_another() -> None:
    decided = errors(objects((0, 0.0)), found((1, 0.0, 0.9), (0, 0.0, 0.4)))
    assert decided.confusion[0].tolist() == [1, 0, 0, 0]
    assert decided.false_positives == {0: 'Cls'}
    assert not decided.false_negatives


def test_crowds_count_neither_way() -> None:
    crowd = [dict(objects((0, 0.0))[0], iscrowd=1)]
    decided = errors(crowd, found((0, 2.0, 0.9), (1, 2.0, 0.8)))
    assert decided.kept == [1], 'of the class of the crowd: no error'
    assert decided.counts == dict(Cls=0, Loc=0, Both=0, Dupe=0, Bkg=1, Miss=0)


def busy_scene(seed: int) -> tuple[list[dict], list[dict]]:
    """Three images with objects that are found badly, twice, or as something else."""
    rng = np.random.default_rng(seed)
    annotations, detections = [], []

    def add(image: int, category: int, box: np.ndarray | list) -> None:
        bbox, score = [float(value) for value in box], float(rng.random())
        detections.append(dict(image_id=image, category_id=category, bbox=bbox, score=score))

    for image in range(3):
        for category in CATEGORIES[: rng.integers(1, 4)]:
            count = rng.integers(0, 5)
            corners, sides = rng.uniform(0, 60, (count, 2)), rng.uniform(8, 30, (count, 2))
            truth = np.concatenate([corners, sides], 1)
            for box in truth:
                here = dict(image_id=image, category_id=category, bbox=box.tolist())
                annotations.append(dict(here, area=float(box[2] * box[3])))
            for box in np.concatenate([truth, truth, truth]):
                if rng.random() < 0.6:
                    error = rng.choice([0.02, 0.15, 0.3]) * np.sqrt(box[2] * box[3])
                    moved = box + rng.normal(0, 1, 4) * error
                    moved[2:] = moved[2:].clip(2)
                    other = int(rng.choice(CATEGORIES))
                    add(image, category if rng.random() < 0.7 else other, moved)
        for _ in range(rng.integers(0, 4)):
            box = [*rng.uniform(0, 60, 2), *rng.uniform(5, 20, 2)]
            add(image, int(rng.choice(CATEGORIES)), box)
    return annotations, detections


@pytest.mark.parametrize(
    ('seed', 'threshold', 'counts'),
    [
        (0, 0.0, (6, 9, 8, 5, 2, 1)),
        (1, 0.3, (3, 7, 1, 2, 4, 5)),
        (2, 0.6, (0, 6, 1, 0, 1, 3)),
        (3, 0.0, (2, 5, 1, 1, 8, 0)),
        (4, 0.3, (3, 6, 3, 1, 2, 2)),
        (5, 0.6, (0, 5, 0, 1, 1, 3)),
    ],
)
def test_counts_are_those_of_tidecv(seed: int, threshold: float, counts: tuple) -> None:
    """Counted by tidecv 1.0.1, TIDERun(pos_thresh=0.5, bg_thresh=0.1), on the same boxes."""
    decided = errors(*busy_scene(seed), threshold)
    assert tuple(decided.counts[kind] for kind in KINDS) == counts


@given(seed=st.integers(0, 10**6), threshold=st.sampled_from([0.0, 0.3, 0.8, 1.0]))
def test_sums(seed: int, threshold: float) -> None:
    annotations, detections = random_scene(seed)
    matches = match_at(0.5, CATEGORIES, annotations, detections)
    decided = detection_errors(annotations, detections, matches, 3, threshold)
    counts = np.bincount(matches.gt_labels[matches.counted], minlength=3)
    assert decided.confusion[:3].sum(axis=1).tolist() == counts.tolist(), 'rows are the objects'
    kept = np.bincount(matches.labels[decided.kept], minlength=3)
    assert decided.confusion[:, :3].sum(axis=0).tolist() == kept.tolist(), 'columns detections'
    right = int(np.trace(decided.confusion[:3, :3]))
    assert right == len(decided.kept) - len(decided.false_positives)
    assert right == counts.sum() - len(decided.false_negatives)
    assert set(decided.taken_for) <= set(decided.false_negatives)
    assert set(decided.missed) <= set(decided.false_negatives)
    assert all(matches.scores[d] >= threshold for d in decided.kept)
