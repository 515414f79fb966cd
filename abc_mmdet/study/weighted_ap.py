"""COCO's average precision when every image counts as often as its weight says."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .match_table import ClassMatches, MatchTable

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
    always_ignored = ignored.all(axis=0)
    # One more column in front: what has been counted before the first detection
    counted = _running_total(weights[:, image] * ~always_ignored)
    total = np.zeros(len(weights))
    for found, left_out in zip(hit, ignored & ~always_ignored, strict=True):
        at = np.flatnonzero(found)
        here = weights[:, image[at]]
        true = np.cumsum(here, axis=1, dtype=float)
        so_far = counted[:, at + 1]
        if left_out.any():
            extra = np.flatnonzero(left_out)
            so_far = (
                so_far - _running_total(weights[:, image[extra]])[:, np.searchsorted(extra, at)]
            )
        precision = true / (so_far + np.spacing(1))
        envelope = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
        recall = true / np.maximum(positives, 1)[:, None]
        reached = np.searchsorted(RECALLS, recall, side='right')
        total += (np.diff(reached, axis=1, prepend=0) * envelope).sum(axis=1)
    mean = total / (len(RECALLS) * len(hit))
    return np.where(positives > 0, mean, np.nan)


def _running_total(values: np.ndarray) -> np.ndarray:
    start = np.zeros((len(values), 1))
    return np.concatenate([start, np.cumsum(values, axis=1, dtype=float)], axis=1)
