"""COCO's average precision when every image counts as often as its weight says."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .matching import ClassMatches, MatchTable

RECALLS = np.linspace(0.0, 1.0, 101)
HEADLINE = ('bbox_mAP_small_classes', 'bbox_mAP_s', 'bbox_mAP')
"""What the ladder is judged by, named as :class:`SmallObjectMetric` names it."""


def headline_ap(
    table: MatchTable, weights: np.ndarray, small: Sequence[int], first: int = 100
) -> dict[str, np.ndarray]:
    """The :data:`HEADLINE` figures of each row of weights.

    Args:
        table: matches of the areas ``all`` and ``s``.
        weights: ``(B, N)``, how often each image counts.
        small: labels of the small classes.
        first: detections per image and class that ``bbox_mAP`` looks at; the others take all.

    Returns:
        ``(B,)`` per figure.
    """
    every = np.stack([average_precision(matches, weights) for matches in table['all']])
    return {
        'bbox_mAP_small_classes': _mean(every[list(small)]),
        'bbox_mAP_s': _mean(np.stack([average_precision(m, weights) for m in table['s']])),
        'bbox_mAP': _mean(np.stack([average_precision(m, weights, first) for m in table['all']])),
    }


def _mean(per_class: np.ndarray) -> np.ndarray:
    """Mean over the classes that have ground truth, nan where none has any."""
    present = ~np.isnan(per_class)
    total = np.where(present, per_class, 0.0).sum(axis=0)
    counts = present.sum(axis=0)
    return np.where(counts > 0, total / np.maximum(counts, 1), np.nan)


def average_precision(
    matches: ClassMatches, weights: np.ndarray, max_dets: int | None = None
) -> np.ndarray:
    """AP of one class, mean over the IoU thresholds; nan without ground truth.

    An image of weight 2 counts as two equal images. Precision rises only where a box is found, so
    that its envelope is known from those detections alone, and few of all are.

    Args:
        matches: of the class.
        weights: ``(B, N)`` whole numbers.
        max_dets: detections per image that are looked at; None takes all.

    Returns:
        ``(B,)``.
    """
    seen = slice(None) if max_dets is None else matches.rank < max_dets
    image, hit, ignored = matches.image[seen], matches.hit[:, seen], matches.ignored[:, seen]
    positives = weights @ matches.truth
    always_ignored = np.logical_and.reduce(ignored, axis=0)
    places = np.flatnonzero(hit.any(axis=0))
    counted = weights.astype(np.float32) @ _counts_up_to(
        places, image, always_ignored, weights.shape[1]
    )
    total = np.zeros(len(weights))
    for found, left_out in zip(hit, ignored & ~always_ignored, strict=True):
        at = np.flatnonzero(found)
        true = np.cumsum(weights[:, image[at]], axis=1, dtype=float)
        so_far = counted[:, np.searchsorted(places, at)].astype(float)
        if left_out.any():
            extra = np.flatnonzero(left_out)
            extra_so_far = np.cumsum(weights[:, image[extra]], axis=1)
            none_yet = np.zeros((len(weights), 1))
            so_far -= np.hstack([none_yet, extra_so_far])[:, np.searchsorted(extra, at)]
        precision = true / (so_far + np.spacing(1))
        envelope = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
        recall = true / np.maximum(positives, 1)[:, None]
        reached = np.searchsorted(RECALLS, recall, side='right')
        total += (np.diff(reached, axis=1, prepend=0) * envelope).sum(axis=1)
    mean = total / (len(RECALLS) * len(hit))
    return np.where(positives > 0, mean, np.nan)


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
