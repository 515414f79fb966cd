"""Which detection found which box at IoU 0.5, and which box it was."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from pycocotools import mask

if TYPE_CHECKING:
    from abc_mmdet.report.test_set import TestSet


IOU = 0.5


@dataclass(frozen=True)
class Matches:
    """Detections of all classes against the ground truth of their own class, as COCO matches.

    The best detection chooses first, so these are also the matches of the detections above any
    score.

    Args:
        scores: ``(D,)``.
        labels: ``(D,)``.
        truth: ``(D,)`` the annotation each detection found, by its place in the list, or -1.
        ignored: ``(D,)`` found a crowd, which counts neither way.
    """

    scores: np.ndarray
    labels: np.ndarray
    truth: np.ndarray
    ignored: np.ndarray


def match(test_set: TestSet, detections: Sequence[dict]) -> Matches:
    """Match all detections of a data set; see :class:`Matches`."""
    label_of = {category: label for label, category in enumerate(test_set.category_ids)}
    truth = np.full(len(detections), -1)
    ignored = np.zeros(len(detections), bool)
    scores = np.array([d['score'] for d in detections], float)
    counted = test_set.counted
    boxes = grouped(test_set.annotations)
    for key, found in grouped(detections).items():
        true = np.array(boxes.get(key, ()), int)
        found_by_score = np.array(found)[np.argsort(-scores[found], kind='mergesort')]
        if not true.size:
            continue
        ious = box_ious(
            [detections[d] for d in found_by_score],
            [test_set.annotations[t] for t in true],
        )
        free = np.ones(len(true), bool)
        for d, overlaps in zip(found_by_score, ious, strict=True):
            possible = overlaps >= min(IOU, 1 - 1e-10)
            best = _last_best(overlaps, possible & free & counted[true])
            if best >= 0:
                truth[d], free[best] = true[best], False
            else:
                ignored[d] = (possible & ~counted[true]).any()
    labels = np.array([label_of[d['category_id']] for d in detections], int)
    return Matches(scores, labels, truth, ignored)


def _last_best(overlaps: np.ndarray, allowed: np.ndarray) -> int:
    """Place of the largest allowed overlap, the last of equal ones as in COCO, or -1."""
    if not allowed.any():
        return -1
    values = np.where(allowed, overlaps, -1.0)
    return len(values) - 1 - int(values[::-1].argmax())


def box_ious(found: Sequence[dict], truth: Sequence[dict]) -> np.ndarray:
    """``(D, N)`` IoU; with a crowd, the share of the detection that lies in it."""
    if not found or not truth:
        return np.zeros((len(found), len(truth)))
    crowd = np.array([bool(t.get('iscrowd')) for t in truth], np.uint8)
    boxes = [np.array([box['bbox'] for box in group], float) for group in (found, truth)]
    return np.asarray(mask.iou(*boxes, crowd))


def grouped(boxes: Sequence[dict], *fields: str) -> dict[tuple, list[int]]:
    """Places of boxes in their list, by image and class (or by other fields)."""
    groups = defaultdict(list)
    for place, box in enumerate(boxes):
        groups[tuple(box[f] for f in fields or ('image_id', 'category_id'))].append(place)
    return groups
