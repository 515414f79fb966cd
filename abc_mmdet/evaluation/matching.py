"""Which detection finds which ground truth: COCO's matching, the base of all metrics."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from pycocotools import mask

NO_LIMIT = 1e10
AREAS = {
    'all': (0.0, NO_LIMIT),
    'very_tiny': (0.0, 8.0**2),
    'tiny': (8.0**2, 16.0**2),
    'small': (16.0**2, 32.0**2),
    'medium': (32.0**2, 96.0**2),
    'large': (96.0**2, NO_LIMIT),
    's': (0.0, 32.0**2),
}
"""Box areas in square pixels. As COCO's, borders belong to both sizes; ``s`` is COCO's small."""


@dataclass(frozen=True)
class Boxes:
    """Boxes of one class: place in their list, place of their image, and x, y, w, h."""

    place: np.ndarray
    image: np.ndarray
    box: np.ndarray

    @classmethod
    def of(cls, records: Sequence[Mapping], places: list[int], images: Mapping) -> Boxes:
        boxes = np.array([records[p]['bbox'] for p in places], float).reshape(-1, 4)
        image = np.array([images[records[p]['image_id']] for p in places], int)
        return cls(np.array(places, int), image, boxes)

    def take(self, which: np.ndarray) -> Boxes:
        return Boxes(self.place[which], self.image[which], self.box[which])


@dataclass(frozen=True)
class ClassMatches:
    """Detections of one class against the ground truth of one range of areas, best score first.

    Of equal scores first images decide, then the order of the list of detections.

    Args:
        detection: ``(D,)`` place of each detection in the list of all detections.
        image: ``(D,)`` place of its image among the images.
        rank: ``(D,)`` place of the detection among those of its class in its image, from 0.
        scores: ``(D,)``.
        ground_truth: ``(T, D)`` place in the list of annotations of what it found, or -1, per IoU
            threshold; also of what counts neither way.
        ignored: ``(T, D)`` counts neither way: found a crowd or an object of another size, or
            nothing and is of another size itself.
        positives: ``(N,)`` ground truth that counts, per image.
    """

    detection: np.ndarray
    image: np.ndarray
    rank: np.ndarray
    scores: np.ndarray
    ground_truth: np.ndarray
    ignored: np.ndarray
    positives: np.ndarray

    @cached_property
    def hit(self) -> np.ndarray:
        """``(T, D)`` true positives."""
        return (self.ground_truth >= 0) & ~self.ignored


MatchTable = dict[str, list[ClassMatches]]
"""Per name of an area (see :data:`AREAS`), one entry per class."""


def match(
    images: Sequence[Hashable],
    category_ids: Sequence[Hashable],
    annotations: Sequence[Mapping],
    detections: Sequence[Mapping],
    thresholds: Sequence[float] | np.ndarray,
    max_dets: int | None = None,
    areas: Sequence[str] = ('all',),
    kind: type[ClassOverlaps] | None = None,
) -> MatchTable:
    """Match all classes; the arguments are those of :func:`class_overlaps`.

    Examples:
        >>> box = dict(image_id=1, category_id=7, bbox=[0, 0, 10, 10])
        >>> table = match([1], [7], [dict(box, area=100)], [dict(box, score=0.9)], [0.5])
        >>> table['all'][0].hit
        array([[ True]])
    """
    table: MatchTable = {area: [] for area in areas}
    for overlaps in class_overlaps(
        images, category_ids, annotations, detections, thresholds, max_dets, kind
    ):
        for area in areas:
            table[area].append(overlaps.match(area))
    return table


def class_overlaps(
    images: Sequence[Hashable],
    category_ids: Sequence[Hashable],
    annotations: Sequence[Mapping],
    detections: Sequence[Mapping],
    thresholds: Sequence[float] | np.ndarray,
    max_dets: int | None = None,
    kind: type[ClassOverlaps] | None = None,
) -> Iterator[ClassOverlaps]:
    """What there is to match, class by class, so that matches of one class are held at a time.

    Args:
        images: ids, numbers or text; what is of no image and category of these is left out.
        category_ids: in the order of the classes.
        annotations: COCO annotations: ``image_id``, ``category_id``, ``bbox`` (x, y, w, h),
            ``area``; those with ``iscrowd`` or ``uncounted`` count neither way. In a crowd there
            is room for any number of detections, what is uncounted is found as an object is.
        detections: COCO results: ``image_id``, ``category_id``, ``bbox``, ``score``.
        thresholds: IoU thresholds.
        max_dets: detections per image and class that are looked at, the best ones; None for all.
        kind: a child of :class:`ClassOverlaps` with rules of its own.
    """
    kind = kind or ClassOverlaps
    place = {image: i for i, image in enumerate(in_order(set(images)))}
    of_class = [_by_category(records, place) for records in (annotations, detections)]
    least = np.minimum(np.asarray(thresholds, float), 1 - 1e-10)
    for category in category_ids:
        ground_truth, found = (
            Boxes.of(records, groups[category], place)
            for records, groups in zip((annotations, detections), of_class, strict=True)
        )
        scores = np.array([detections[d]['score'] for d in found.place], float)
        best_first = np.lexsort([-scores, found.image])  # stable
        found, scores = found.take(best_first), scores[best_first]
        rank = np.arange(len(scores)) - np.searchsorted(found.image, found.image)
        if max_dets is not None:
            seen = rank < max_dets
            found, scores, rank = found.take(seen), scores[seen], rank[seen]
        ground_truth = ground_truth.take(np.argsort(ground_truth.image, kind='stable'))
        ours = [annotations[t] for t in ground_truth.place]
        crowd = np.array([bool(a.get('iscrowd')) for a in ours], bool)
        ignored = crowd | np.array([bool(a.get('uncounted')) for a in ours], bool)
        area = np.array([a['area'] for a in ours], float)
        yield kind(found, scores, rank, ground_truth, area, crowd, ignored, least, len(place))


def in_order(images: Iterable[Any]) -> list[Any]:
    """Ids of images, numbers before text; this order decides between equal scores."""
    return sorted(images, key=lambda image: (isinstance(image, str), image))


def counts(annotation: Mapping) -> bool:
    """Whether an annotation is neither a crowd nor uncounted."""
    return not (annotation.get('iscrowd') or annotation.get('uncounted'))


def _by_category(records: Sequence[Mapping], images: Mapping) -> dict[Hashable, list[int]]:
    groups = defaultdict(list)
    for place, record in enumerate(records):
        if record['image_id'] in images:
            groups[record['category_id']].append(place)
    return groups


class ClassOverlaps:
    """Pairs of detection and ground truth of one class that overlap enough to match."""

    def __init__(
        self,
        detections: Boxes,
        scores: np.ndarray,
        rank: np.ndarray,
        ground_truth: Boxes,
        area: np.ndarray,
        crowd: np.ndarray,
        ignored: np.ndarray,
        least: np.ndarray,
        images: int,
    ) -> None:
        self.detections, self.scores, self.rank = detections, scores, rank
        self.ground_truth, self.area, self.crowd = ground_truth, area, crowd
        self.ignored, self.least, self.images = ignored, least, images
        detection, target, iou = self._pairs()
        # Detections choose in turn, the best one of each image in the first round. Of the pairs of
        # one detection the last possible one is its choice: COCO takes the last of equal overlaps.
        choosing = np.unique(detection)
        image = detections.image[choosing]
        turn = np.arange(len(choosing)) - np.searchsorted(image, image)
        of_pair = turn[np.searchsorted(choosing, detection)]
        order = np.lexsort([target, iou, detection, of_pair])
        self.pairs = detection[order], target[order], iou[order]
        self.rounds = np.searchsorted(of_pair[order], np.arange(turn.max(initial=-1) + 2))
        self.by_score = np.argsort(-scores, kind='stable')

    def _pairs(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Detection, ground truth and IoU (with a crowd the share of the detection in it)."""
        pairs = [(np.zeros(0, int), np.zeros(0, int), np.zeros(0))]
        sides = self.detections, self.ground_truth
        for image in np.intersect1d(self.detections.image, self.ground_truth.image):
            mine, theirs = (
                slice(*np.searchsorted(boxes.image, [image, image + 1])) for boxes in sides
            )
            boxes = self.detections.box[mine], self.ground_truth.box[theirs]
            iou = mask.iou(*boxes, self.crowd[theirs].astype(np.uint8))
            row, column = np.nonzero(iou >= self.least.min())
            pairs.append((row + mine.start, column + theirs.start, iou[row, column]))
        detection, target, iou = map(np.concatenate, zip(*pairs, strict=True))
        return detection, target, iou

    def match(self, area: str | tuple[float, float] = 'all') -> ClassMatches:
        """Match greedily, as COCO does.

        The best detection of an image chooses first, the free ground truth of highest IoU; what
        does not count (a crowd, an area out of range) is taken only if there is no other, and a
        crowd by any number of detections.

        Args:
            area: of :data:`AREAS`, or the smallest and largest area.
        """
        low, high = AREAS[area] if isinstance(area, str) else area
        counts = ~self.ignored & (self.area >= low) & (self.area <= high)
        chosen = self._choose(counts)
        ignored = (chosen >= 0) & ~np.append(counts, False)[chosen]
        areas = self.detections.box[:, 2] * self.detections.box[:, 3]
        ignored |= (chosen < 0) & ((areas < low) | (areas > high) | self.excused(counts))
        order = self.by_score
        return ClassMatches(
            self.detections.place[order],
            self.detections.image[order],
            self.rank[order],
            self.scores[order],
            np.append(self.ground_truth.place, -1)[chosen[:, order]],
            ignored[:, order],
            np.bincount(self.ground_truth.image[counts], minlength=self.images),
        )

    def excused(self, counts: np.ndarray) -> np.ndarray:
        """Detections that count neither way though they found nothing, ``(T, D)``; COCO has none.

        Args:
            counts: ``(N,)`` which ground truth counts.
        """
        return np.zeros((len(self.least), len(self.scores)), bool)

    def _choose(self, counts: np.ndarray) -> np.ndarray:
        """``(T, D)`` place of the ground truth in this class, or -1."""
        chosen = np.full((len(self.least), len(self.scores)), -1)
        free = np.ones((len(self.least), len(counts)), bool)
        for begin, end in zip(self.rounds[:-1], self.rounds[1:], strict=True):
            detection, target, iou = (values[begin:end] for values in self.pairs)
            possible = free[:, target] & (iou >= self.least[:, None])
            place = np.where(possible, np.arange(len(target)), -1)
            starts = np.flatnonzero(np.diff(detection, prepend=-1))
            last = np.maximum.reduceat(np.where(counts[target], place, -1), starts, axis=1)
            last_of_all = np.maximum.reduceat(place, starts, axis=1)
            last = np.where(last < 0, last_of_all, last)
            choice = np.append(target, -1)[last]
            chosen[:, detection[starts]] = choice
            row, column = np.nonzero((choice >= 0) & ~np.append(self.crowd, True)[choice])
            free[row, choice[row, column]] = False
        return chosen
