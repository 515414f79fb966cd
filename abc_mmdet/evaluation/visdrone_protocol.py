"""The evaluation of the VisDrone-DET challenge (Zhu et al., 2018), as its toolkit computes it.

Written after the rules of VisDrone2018-DET-toolkit (``dropObjectsInIgr``, ``evalRes``,
``calcAccuracy``, ``VOCap``).
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from .average_precision import CocoMetrics, envelope_at, precision_at, seen
from .ignored_ground_truth import REASON, is_marked
from .matching import ClassMatches, MatchTable, class_overlaps

COVERED = 0.5
"""Share of a box in ignored regions from which on it is left out, ground truth or detection."""


def without_ignored(
    images: Sequence[dict], annotations: Sequence[dict], detections: Sequence[dict]
) -> tuple[list[dict], list[dict]]:
    """Ground truth and detections that do not lie in ignored regions.

    Args:
        images: COCO records with ``id``, ``width`` and ``height``.
        annotations: those with ``iscrowd`` or ``ignore`` are regions, of whatever category. Where a
            converted file says why, a box of score 0 is a crowd of its class, and what has no
            class (``others``) is not looked at.
        detections: COCO results.
    """
    regions: dict[Hashable, list] = {}
    objects = []
    for a in annotations:
        if not is_marked(a, ('iscrowd', 'ignore')):
            objects.append(a)
        elif a.get(REASON) == 'score 0':
            objects.append(dict(a, iscrowd=1))
        elif a.get(REASON) != 'others':
            regions.setdefault(a['image_id'], []).append(a['bbox'])
    covers = {
        image['id']: _Cover.of(regions[image['id']], image['width'], image['height'])
        for image in images
        if image['id'] in regions
    }

    def left(records: Sequence[dict]) -> list[dict]:
        return [
            r
            for r in records
            if r['image_id'] not in covers or covers[r['image_id']].share(r['bbox']) < COVERED
        ]

    return left(objects), left(detections)


@dataclass(frozen=True)
class _Cover:
    """Pixels of an image in ignored regions, summed from the corner, ``(H, W)``.

    Pixels are numbered from 1 and boxes rounded to them, with both of their edges, as the toolkit
    does.
    """

    sums: np.ndarray

    @classmethod
    def of(cls, regions: Sequence[Sequence[float]], width: int, height: int) -> _Cover:
        covered = np.zeros((height, width))
        for region in regions:
            x, y, w, h = (max(1, round(value)) for value in region)
            covered[y - 1 : min(height, y + h), x - 1 : min(width, x + w)] = 1
        return cls(covered.cumsum(0).cumsum(1))

    def share(self, box: Sequence[float]) -> float:
        height, width = self.sums.shape
        x, y, w, h = (max(1, int(np.floor(value + 0.5))) for value in box)
        x, y = min(width, x), min(height, y)
        right, below = min(width, x + w) - 1, min(height, y + h) - 1
        sums = self.sums
        inside = sums[y - 1, x - 1] + sums[below, right] - sums[y - 1, right] - sums[below, x - 1]
        return float(inside) / (w * h)


@dataclass(frozen=True)
class VisDroneMetrics(CocoMetrics):
    """AP is the area below the whole curve, and frequent classes count more.

    The toolkit takes the mean over a list of classes in which each stands as often as there are
    images that show it.

    Args:
        areas_below: ``(thresholds, classes, areas, max detections)``, -1 for none.
        frames: ``(classes,)`` images that show the class.
    """

    areas_below: np.ndarray | None = None
    frames: np.ndarray | None = None

    def ap(
        self,
        iou: float | None = None,
        area: str | None = None,
        label: int | None = None,
        max_dets: int | None = None,
    ) -> float:
        assert self.areas_below is not None
        size, dets = self.place(area, max_dets)
        values = self.areas_below[..., size, dets]
        if iou is not None:
            values = values[np.isclose(self.thresholds, iou)]
        return self._mean(values, label)

    def ar(self, area: str | None = None, max_dets: int | None = None) -> float:
        size, dets = self.place(area, max_dets)
        return self._mean(self.recall[..., size, dets], None)

    def _mean(self, values: np.ndarray, label: int | None) -> float:
        """Of ``(thresholds, classes)``."""
        assert self.frames is not None
        counts = np.asarray((values > -1).all(axis=0))
        if label is not None:
            counts &= np.arange(len(counts)) == label
        if not len(values) or not counts.any():
            return float('nan')
        return float(np.average(values.mean(axis=0)[counts], weights=self.frames[counts]))


def visdrone_metrics(
    images: Sequence[Hashable],
    category_ids: Sequence[Hashable],
    annotations: Sequence[Mapping],
    detections: Sequence[Mapping],
    thresholds: Sequence[float] | np.ndarray,
    max_dets: Sequence[int],
    areas: Mapping[str, tuple[float, float]],
    keep: Sequence[str] = (),
) -> VisDroneMetrics:
    """Evaluate what :func:`without_ignored` has left.

    Args:
        images, category_ids, annotations, detections, thresholds: as in
            :func:`~abc_mmdet.evaluation.matching.class_overlaps`.
        max_dets: detections per image that are looked at, of all classes together.
        areas: ranges of areas by name.
        keep: some of them, whose matches are kept, of all detections.
    """
    max_dets = tuple(sorted(max_dets))
    rank = _rank_in_image(detections)
    best = np.flatnonzero((rank < max_dets[-1]) | bool(keep))
    rank, detections = rank[best], [detections[d] for d in best]
    kept: MatchTable = {area: [] for area in keep}
    shape = (len(category_ids), len(areas), len(max_dets))
    precision = np.full((len(thresholds), 101, *shape), -1.0)
    recall = np.full((len(thresholds), *shape), -1.0)
    areas_below = recall.copy()
    num_boxes = np.zeros(shape[:2], int)
    frames = np.zeros(len(category_ids))
    for k, overlaps in enumerate(
        class_overlaps(images, category_ids, annotations, detections, thresholds)
    ):
        frames[k] = len(set(overlaps.ground_truth.image))
        for a, (area, limits) in enumerate(areas.items()):
            matches = overlaps.match(limits)
            if area in kept:
                kept[area].append(matches)
            # Crowds are among those to be found, though they cannot be
            crowds = np.bincount(overlaps.ground_truth.image[overlaps.crowd], minlength=len(images))
            num_boxes[k, a] = matches.positives.sum()
            positives = matches.positives + crowds
            matches = replace(matches, rank=rank[matches.detection], positives=positives)
            if positives.any():
                for m, number in enumerate(max_dets):
                    place = (..., k, a, m)
                    precision[place], recall[place] = precision_at(matches, number)
                    areas_below[place] = _area_below(matches, number)
    whole = precision, np.asarray(thresholds), tuple(areas), max_dets, num_boxes, recall
    return VisDroneMetrics(*whole, kept, areas_below=areas_below, frames=frames)


def _rank_in_image(detections: Sequence[Mapping]) -> np.ndarray:
    """``(D,)`` place of each detection among those of its image, best first, from 0."""
    rank = np.zeros(len(detections), int)
    number: dict[Hashable, int] = {}
    for place in np.argsort([-d['score'] for d in detections], kind='stable'):
        image = detections[place]['image_id']
        rank[place] = number.get(image, 0)
        number[image] = rank[place] + 1
    return rank


def _area_below(matches: ClassMatches, max_dets: int) -> list[float]:
    """Area below the curve of precision against recall, at each IoU threshold."""
    positives = matches.positives.sum()
    below = []
    for hit, left_out in zip(*seen(matches, max_dets)[1:], strict=True):
        at = np.flatnonzero(hit)
        so_far = np.cumsum(~left_out)[at]
        envelope, _ = envelope_at(np.arange(1.0, len(at) + 1), so_far, positives)
        below.append(float(envelope.sum() / positives))
    return below
