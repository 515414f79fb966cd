"""What a detector would deliver at one score threshold: confusion matrix, misses, false alarms."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from .matches_at import IOU, Matches, box_ious, grouped

if TYPE_CHECKING:
    from abc_mmdet.report.test_set import TestSet

KINDS = {
    'background': 'nothing of the kind is there',
    'badly placed': f'an object of the class is there, but IoU is 0.1 to {IOU}',
    'wrong class': 'an object of another class is there',
    'second box': 'the object has been found already',
}
"""Kinds of false alarms and what they mean."""

NEAR = 0.1  # IoU from which on a detection was meant for an object


@dataclass(frozen=True)
class Outcome:
    """Detections above a threshold against the ground truth, at IoU 0.5.

    Args:
        threshold: least score.
        confusion: ``(C + 1, C + 1)``: rows are true classes, columns detected ones; the last row
            counts detections of nothing, the last column missed objects.
        kept: detections above the threshold that count, by their place in the list.
        missed: annotations not found as what they are, likewise.
        taken_for: of those, the detection of another class that stands there.
        false_alarms: detections that found nothing, and the kind of each.
    """

    threshold: float
    confusion: np.ndarray
    kept: list[int]
    missed: list[int]
    taken_for: dict[int, int]
    false_alarms: dict[int, str]


def outcome(
    test_set: TestSet, detections: Sequence[dict], matches: Matches, threshold: float
) -> Outcome:
    """Judge all detections with at least this score.

    A detection first finds a box of its own class, as in COCO. What is left over is paired across
    the classes, best score first; only what still finds nothing is a detection of background.
    """
    above = (matches.scores >= threshold) & ~matches.ignored
    kept = np.flatnonzero(above)
    labels = test_set.labels
    classes = len(test_set.classes)
    confusion = np.zeros((classes + 1, classes + 1), int)
    hits = kept[matches.truth[kept] >= 0]
    np.add.at(confusion, (labels[matches.truth[hits]], matches.labels[hits]), 1)
    is_open = test_set.counted.copy()
    is_open[matches.truth[hits]] = False
    missed = np.flatnonzero(is_open).tolist()

    by_image = grouped(detections, 'image_id')
    true_by_image = grouped(test_set.annotations, 'image_id')
    taken_for: dict[int, int] = {}
    false_alarms: dict[int, str] = {}
    for image, found in by_image.items():
        left = [d for d in found if above[d] and matches.truth[d] < 0]
        left.sort(key=lambda d: -matches.scores[d])
        true = np.array([t for t in true_by_image.get(image, ()) if test_set.counted[t]], int)
        ious = box_ious([detections[d] for d in left], [test_set.annotations[t] for t in true])
        for d, overlaps in zip(left, ious, strict=True):
            same = labels[true] == matches.labels[d]
            pair = _best(overlaps, is_open[true] & ~same)
            if pair is not None:
                is_open[true[pair]] = False
                taken_for[int(true[pair])] = d
                confusion[labels[true[pair]], matches.labels[d]] += 1
                false_alarms[d] = 'wrong class'
            else:
                confusion[-1, matches.labels[d]] += 1
                false_alarms[d] = _kind(overlaps, same)
    np.add.at(confusion, (labels[is_open], -1), 1)
    return Outcome(threshold, confusion, kept.tolist(), missed, taken_for, false_alarms)


def _best(overlaps: np.ndarray, allowed: np.ndarray) -> int | None:
    values = np.where(allowed, overlaps, 0.0)
    return int(values.argmax()) if values.size and values.max() >= IOU else None


def _kind(overlaps: np.ndarray, same: np.ndarray) -> str:
    """Of a detection that no free object is left for."""
    if (overlaps[same] >= IOU).any():
        return 'second box'
    if (overlaps >= IOU).any():
        return 'wrong class'
    return 'badly placed' if (overlaps[same] >= NEAR).any() else 'background'
