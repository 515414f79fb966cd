"""What a detector gets wrong at one score threshold, by the kinds of TIDE.

TIDE: A General Toolbox for Identifying Object Detection Errors (Bolya et al., ECCV 2020).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from pycocotools import mask

from .matching import ClassMatches, counts, match


@dataclass(frozen=True)
class Matches:
    """Detections and ground truth of all classes at one IoU threshold.

    The best chooses first, so these are also the matches of the detections above any score.

    Args:
        scores, labels: ``(D,)``.
        ground_truth: ``(D,)`` place in the list of annotations of what each one found, or -1.
        ignored: ``(D,)`` found a crowd, and counts neither way.
        gt_labels: ``(N,)`` of the annotations.
        counted: ``(N,)`` whether each annotation counts.

    Examples:
        >>> box = dict(image_id=1, category_id=7, bbox=[0, 0, 10, 10])
        >>> match_at(0.5, [7], [dict(box, area=100)], [dict(box, score=0.9)]).ground_truth
        array([0])
    """

    scores: np.ndarray
    labels: np.ndarray
    ground_truth: np.ndarray
    ignored: np.ndarray
    gt_labels: np.ndarray
    counted: np.ndarray


def match_at(
    iou: float,
    category_ids: Sequence[Hashable],
    annotations: Sequence[Mapping],
    detections: Sequence[Mapping],
) -> Matches:
    """Match all detections, of any number per image, at one IoU threshold.

    Args:
        iou: the threshold.
        category_ids, annotations, detections: as in :func:`class_overlaps`; all of these
            categories.
    """
    images = [record['image_id'] for record in (*annotations, *detections)]
    table = match(images, category_ids, annotations, detections, [iou])
    return matches_of_all(table['all'], 0, category_ids, annotations, detections)


def matches_of_all(
    by_class: Sequence[ClassMatches],
    threshold: int,
    category_ids: Sequence[Hashable],
    annotations: Sequence[Mapping],
    detections: Sequence[Mapping],
) -> Matches:
    """Put the matches of all classes together.

    Args:
        by_class: of objects of any size, and of all detections.
        threshold: place of the IoU threshold in them.
        category_ids, annotations, detections: that were matched.
    """
    label = {category: i for i, category in enumerate(category_ids)}
    ground_truth = np.full(len(detections), -1)
    ignored = np.zeros(len(detections), bool)
    for matches in by_class:
        found = np.where(matches.hit[threshold], matches.ground_truth[threshold], -1)
        ignored[matches.detection] = matches.ignored[threshold]
        ground_truth[matches.detection] = found
    return Matches(
        np.array([d['score'] for d in detections], float),
        np.array([label[d['category_id']] for d in detections], int),
        ground_truth,
        ignored,
        np.array([label[a['category_id']] for a in annotations], int),
        np.array([counts(a) for a in annotations], bool),
    )


FOREGROUND_IOU = 0.5
"""TIDE's t_f: least IoU at which a detection finds an object."""

BACKGROUND_IOU = 0.1
"""TIDE's t_b: up to this IoU a detection has nothing to do with an object."""

KINDS = {
    'Cls': f'localized on an object of another class (IoU of at least {FOREGROUND_IOU})',
    'Loc': f'on an object of its class, but IoU is {BACKGROUND_IOU} to {FOREGROUND_IOU}',
    'Both': f'on an object of another class, and IoU is {BACKGROUND_IOU} to {FOREGROUND_IOU}',
    'Dupe': 'on an object that a detection of a higher score has found',
    'Bkg': f'on no object (IoU of at most {BACKGROUND_IOU} with all)',
    'Miss': 'object not found, that no Cls or Loc error is about',
}
"""Kinds of errors and what they mean: those of false positives, and ``Miss``."""


@dataclass(frozen=True)
class DetectionErrors:
    """Detections above a threshold against the ground truth, at IoU 0.5.

    Args:
        threshold: least score.
        confusion: ``(C + 1, C + 1)``: rows are true classes, columns detected ones; the last row
            counts detections of nothing, the last column objects that were not found.
        kept: detections above the threshold that count, by their place in the list.
        false_positives: those that found nothing, and the kind of each.
        false_negatives: annotations not found as what they are, by their place in the list.
        missed: those of them that are TIDE's ``Miss``.
        taken_for: of the false negatives, the detection of another class that stands there.
    """

    threshold: float
    confusion: np.ndarray
    kept: list[int]
    false_positives: dict[int, str]
    false_negatives: list[int]
    missed: list[int]
    taken_for: dict[int, int]

    @property
    def counts(self) -> dict[str, int]:
        """How many errors there are of each of :data:`KINDS`."""
        kinds = list(self.false_positives.values())
        return {kind: kinds.count(kind) for kind in KINDS} | {'Miss': len(self.missed)}


def detection_errors(
    annotations: Sequence[Mapping],
    detections: Sequence[Mapping],
    matches: Matches,
    classes: int,
    threshold: float,
) -> DetectionErrors:
    """Evaluate all detections with at least this score.

    Kinds are decided in the order of TIDE's own toolbox: ``Loc``, ``Cls``, ``Dupe``, ``Bkg``, and
    ``Both`` for what is left. Two things differ from it: detections that found a crowd count
    neither way, as in COCO, and there is no limit of 100 detections per image.

    For the confusion matrix what is no hit is paired across the classes, best score first; only
    what still finds nothing is a detection of background.

    Args:
        annotations, detections: COCO's records, as they were matched.
        matches: of these, at :data:`FOREGROUND_IOU`.
        classes: how many there are.
        threshold: least score.
    """
    above = (matches.scores >= threshold) & ~matches.ignored
    kept = np.flatnonzero(above)
    found = matches.ground_truth[kept][matches.ground_truth[kept] >= 0]
    is_open = matches.counted.copy()
    is_open[found] = False
    false_negatives = np.flatnonzero(is_open).tolist()
    confusion = np.zeros((classes + 1, classes + 1), int)
    np.add.at(confusion, (matches.gt_labels[found], matches.gt_labels[found]), 1)

    annotations_of = _by_image(annotations, np.flatnonzero(matches.counted))
    unmatched = _by_image(detections, kept[matches.ground_truth[kept] < 0])
    false_positives: dict[int, str] = {}
    explained: set[int] = set()
    taken_for: dict[int, int] = {}
    for image, places in unmatched.items():
        places.sort(key=lambda d: -matches.scores[d])
        truth = np.array(annotations_of[image], int)
        ious = box_ious([detections[d] for d in places], [annotations[t] for t in truth])
        for d, overlaps in zip(places, ious, strict=True):
            same = matches.gt_labels[truth] == matches.labels[d]
            kind, target = _kind(overlaps, same)
            false_positives[d] = kind
            if target is not None:
                explained.add(int(truth[target]))
            of_others = overlaps * (is_open[truth] & ~same)
            if of_others.max(initial=0) < FOREGROUND_IOU:
                confusion[-1, matches.labels[d]] += 1
                continue
            t = int(truth[of_others.argmax()])
            is_open[t] = False
            taken_for[t] = d
            confusion[matches.gt_labels[t], matches.labels[d]] += 1
    np.add.at(confusion, (matches.gt_labels[is_open], -1), 1)
    missed = [t for t in false_negatives if t not in explained]
    return DetectionErrors(
        threshold, confusion, kept.tolist(), false_positives, false_negatives, missed, taken_for
    )


def _kind(overlaps: np.ndarray, same: np.ndarray) -> tuple[str, int | None]:
    """Kind of a false positive, and the ground truth that would have it right (Loc and Cls).

    Args:
        overlaps: IoU with each object of the image.
        same: whether it is of the class of the detection.
    """
    if not overlaps.size:
        return 'Bkg', None
    of_class, of_others = overlaps * same, overlaps * ~same
    if BACKGROUND_IOU <= of_class.max() <= FOREGROUND_IOU:
        return 'Loc', int(of_class.argmax())
    if of_others.max() >= FOREGROUND_IOU:
        return 'Cls', int(of_others.argmax())
    if of_class.max() >= FOREGROUND_IOU:
        return 'Dupe', None
    return ('Bkg' if overlaps.max() <= BACKGROUND_IOU else 'Both'), None


def box_ious(found: Sequence[Mapping], truth: Sequence[Mapping]) -> np.ndarray:
    """IoU of each detection with each object, ``(D, N)``."""
    if not found or not truth:
        return np.zeros((len(found), len(truth)))
    boxes = [np.array([box['bbox'] for box in group], float) for group in (found, truth)]
    return np.asarray(mask.iou(*boxes, np.zeros(len(truth), np.uint8)))


def _by_image(records: Sequence[Mapping], places: Iterable[int]) -> defaultdict:
    groups = defaultdict(list)
    for place in places:
        groups[records[place]['image_id']].append(int(place))
    return groups
