"""COCO's average precision and recall, by class and size, and of resampled images."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from .matching import AREAS, ClassMatches, ClassOverlaps, MatchTable, class_overlaps

RECALLS = np.linspace(0.0, 1.0, 101)


@dataclass(frozen=True)
class CocoMetrics:
    """Average precision and recall of one evaluation; nan where there is no ground truth.

    Args:
        precision: ``(thresholds, recall, classes, areas, max detections)``, -1 for none.
        thresholds: IoU thresholds.
        areas: names of the areas.
        max_dets: detections per image and class that are looked at, increasing.
        num_boxes: ground truth that counts, ``(classes, areas)``.
        recall: the highest, ``(thresholds, classes, areas, max detections)``, -1 for none.
        matches: that they were computed from, of the areas that were to be kept; of all detections,
            those beyond ``max_dets`` included.
        main: area and number of detections that are meant where none is given; None is the largest
            number.
    """

    precision: np.ndarray
    thresholds: np.ndarray
    areas: tuple[str, ...]
    max_dets: tuple[int, ...]
    num_boxes: np.ndarray
    recall: np.ndarray
    matches: MatchTable = field(default_factory=dict)
    main: tuple[str, int | None] = ('all', None)

    def ap(
        self,
        iou: float | None = None,
        area: str | None = None,
        label: int | None = None,
        max_dets: int | None = None,
    ) -> float:
        """Mean over thresholds (or at one), recall and classes (or of one).

        Args:
            iou: one threshold; None takes all.
            area: name of the size; :attr:`main` by default.
            label: index of a class; None takes all that have ground truth.
            max_dets: one of :attr:`max_dets`; :attr:`main` by default.
        """
        size, dets = self.place(area, max_dets)
        values = self.precision[..., size, dets]
        if iou is not None:
            values = values[np.isclose(self.thresholds, iou)]
        if label is not None:
            values = values[:, :, label]
        values = values[values > -1]
        return float(values.mean()) if values.size else float('nan')

    def place(self, area: str | None, max_dets: int | None) -> tuple[int, int]:
        """Indices of a size and of a number of detections, those of :attr:`main` for None."""
        main_area, main_dets = self.main
        dets = main_dets if max_dets is None else max_dets
        return self.areas.index(area or main_area), -1 if dets is None else self.max_dets.index(
            dets
        )

    def ar(self, area: str | None = None, max_dets: int | None = None) -> float:
        """Mean of the highest recall over thresholds and classes; arguments as of :meth:`ap`."""
        size, dets = self.place(area, max_dets)
        values = self.recall[..., size, dets]
        values = values[values > -1]
        return float(values.mean()) if values.size else float('nan')

    def mean_ap(self, labels: Sequence[int], iou: float | None = None) -> float:
        """Mean of the AP of some classes, without those that have no ground truth."""
        aps = [self.ap(iou, label=label) for label in labels]
        present = [ap for ap in aps if not np.isnan(ap)]
        return float(np.mean(present)) if present else float('nan')


def coco_metrics(
    images: Sequence[Hashable],
    category_ids: Sequence[Hashable],
    annotations: Sequence[Mapping],
    detections: Sequence[Mapping],
    thresholds: Sequence[float] | np.ndarray,
    max_dets: Sequence[int],
    areas: Sequence[str] | Mapping[str, tuple[float, float]] = tuple(AREAS),
    keep: Sequence[str] = (),
    kind: type[ClassOverlaps] | None = None,
    main: tuple[str, int | None] = ('all', None),
) -> CocoMetrics:
    """Evaluate boxes as COCO does; to the last bit what pycocotools computes.

    Args:
        images, category_ids, annotations, detections, thresholds: as in :func:`class_overlaps`.
        max_dets: detections per image and class that are looked at.
        areas: names from :data:`AREAS`, or ranges by name.
        keep: some of them, whose matches are kept.
        kind: as in :func:`class_overlaps`.
        main: as in :class:`CocoMetrics`.

    Examples:
        >>> box = dict(image_id=1, category_id=7, bbox=[0, 0, 10, 10])
        >>> found = [dict(box, score=0.9)]
        >>> metrics = coco_metrics([1], [7], [dict(box, area=100)], found, [0.5, 0.75], [100])
        >>> round(metrics.ap(), 6)
        1.0
    """
    max_dets = tuple(sorted(max_dets))
    ranges = [areas[a] if isinstance(areas, Mapping) else AREAS[a] for a in areas]
    shape = (len(category_ids), len(areas), len(max_dets))
    precision = np.full((len(thresholds), len(RECALLS), *shape), -1.0)
    recall = np.full((len(thresholds), *shape), -1.0)
    num_boxes = np.zeros(shape[:2], int)
    kept: MatchTable = {area: [] for area in keep}
    # The best detections choose first: what is beyond the most changes no match of theirs
    most = None if keep else max_dets[-1]
    for k, overlaps in enumerate(
        class_overlaps(images, category_ids, annotations, detections, thresholds, most, kind)
    ):
        for a, (area, limits) in enumerate(zip(areas, ranges, strict=True)):
            matches = overlaps.match(limits)
            if area in kept:
                kept[area].append(matches)
            num_boxes[k, a] = matches.positives.sum()
            if num_boxes[k, a]:
                for m, number in enumerate(max_dets):
                    precision[:, :, k, a, m], recall[:, k, a, m] = precision_at(matches, number)
    whole = precision, np.asarray(thresholds), tuple(areas), max_dets, num_boxes, recall
    return CocoMetrics(*whole, kept, main)


def precision_at(matches: ClassMatches, max_dets: int) -> tuple[np.ndarray, np.ndarray]:
    """``(T, 101)`` precision at each recall, 0 beyond the highest recall, which is ``(T,)``."""
    hits, ignored = seen(matches, max_dets)[1:]
    positives = matches.positives.sum()
    precision = np.zeros((len(hits), len(RECALLS)))
    for row, hit, left_out in zip(precision, hits, ignored, strict=True):
        at = np.flatnonzero(hit)
        so_far = np.cumsum(~left_out)[at]
        envelope, reached = envelope_at(np.arange(1.0, len(at) + 1), so_far, positives)
        row[: reached[-1] if len(at) else 0] = np.repeat(envelope, np.diff(reached, prepend=0))
    return precision, hits.sum(axis=1) / positives


def seen(matches: ClassMatches, max_dets: int | None) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Image, hits and ignored ones of the best detections of each image."""
    if max_dets is None or (matches.rank < max_dets).all():
        return matches.image, matches.hit, matches.ignored
    best = matches.rank < max_dets
    return matches.image[best], matches.hit[:, best], matches.ignored[:, best]


def envelope_at(
    true: np.ndarray, so_far: np.ndarray, positives: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The highest precision at a recall or beyond, and how many of :data:`RECALLS` are reached.

    Precision rises only where a box is found, so that its envelope is known from those detections
    alone, and few of all are.

    Args:
        true: ``(..., P)`` boxes found, up to each detection that found one.
        so_far: ``(..., P)`` detections that count, up to there.
        positives: ``(...)`` ground truth that counts.
    """
    precision = true / (so_far + np.spacing(1))
    envelope = np.maximum.accumulate(precision[..., ::-1], axis=-1)[..., ::-1]
    recall = true / np.maximum(positives, 1)[..., None]
    return envelope, np.searchsorted(RECALLS, recall, side='right')


def average_precision(
    matches: ClassMatches, weights: np.ndarray, max_dets: int | None = None
) -> np.ndarray:
    """AP of one class when images count as often as their weights say.

    An image of weight 2 counts as two equal images.

    Args:
        matches: of the class.
        weights: ``(B, N)`` whole numbers.
        max_dets: detections per image that are looked at; None takes all.

    Returns:
        ``(B,)``, mean over the IoU thresholds; nan without ground truth.
    """
    positives = weights @ matches.positives
    total = np.zeros(len(weights))
    for envelope, reached in _weighted(matches, weights, positives, max_dets):
        total += (np.diff(reached, axis=1, prepend=0) * envelope).sum(axis=1)
    mean = total / (len(RECALLS) * len(matches.hit))
    return np.where(positives > 0, mean, np.nan)


def _weighted(
    matches: ClassMatches, weights: np.ndarray, positives: np.ndarray, max_dets: int | None
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """:func:`envelope_at` per IoU threshold, ``(B, P)`` each."""
    image, hits, ignored = seen(matches, max_dets)
    always_ignored = np.logical_and.reduce(ignored, axis=0)
    places = np.flatnonzero(hits.any(axis=0))
    counted = weights.astype(np.float32) @ _counts_up_to(
        places, image, always_ignored, weights.shape[1]
    )
    for hit, left_out in zip(hits, ignored & ~always_ignored, strict=True):
        at = np.flatnonzero(hit)
        true = np.cumsum(weights[:, image[at]], axis=1, dtype=float)
        so_far = counted[:, np.searchsorted(places, at)].astype(float)
        if left_out.any():
            extra = np.flatnonzero(left_out)
            extra_so_far = np.cumsum(weights[:, image[extra]], axis=1)
            none_yet = np.zeros((len(weights), 1))
            so_far -= np.hstack([none_yet, extra_so_far])[:, np.searchsorted(extra, at)]
        yield envelope_at(true, so_far, positives)


def _counts_up_to(
    places: np.ndarray, image: np.ndarray, left_out: np.ndarray, images: int
) -> np.ndarray:
    """``(N, P)``: detections of each image up to each of these places, float32.

    Whole numbers below 2 ** 24 are exact in float32, and a product of matrices is the fastest way
    to weigh them.
    """
    next_place = np.searchsorted(places, np.arange(len(image)))
    kept = ~left_out & (next_place < len(places))
    cells = image[kept] * len(places) + next_place[kept]
    counts = np.bincount(cells, minlength=images * len(places)).reshape(images, len(places))
    return np.cumsum(counts, axis=1).astype(np.float32)
