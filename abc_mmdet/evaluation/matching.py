"""Which detections find which boxes, worked out once, so that AP can be computed many times."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from pycocotools import mask

from .average_precision import AREAS


@dataclass(frozen=True)
class ClassMatches:
    """Detections of one class against the ground truth of one range of areas, best score first.

    Args:
        image: ``(D,)`` place of each detection's image among the images.
        rank: ``(D,)`` place of the detection among those of its class in its image, from 0.
        hit: ``(T, D)`` found a box that counts, per IoU threshold.
        ignored: ``(T, D)`` counts neither way.
        truth: ``(N,)`` boxes that count, per image.
    """

    image: np.ndarray
    rank: np.ndarray
    hit: np.ndarray
    ignored: np.ndarray
    truth: np.ndarray


MatchTable = dict[str, list[ClassMatches]]
"""Per name of an area (see :data:`AREAS`), one entry per class."""


def match_table(
    images: Sequence[int],
    category_ids: Sequence[int],
    annotations: Sequence[dict],
    detections: Sequence[dict],
    thresholds: np.ndarray,
    max_dets: int,
    areas: Sequence[str] = ('all', 's'),
) -> MatchTable:
    """Match as COCO does; the arguments are those of :func:`coco_figures`.

    Args:
        max_dets: detections per image and class that are looked at.
    """
    truth = _by_image_and_class(annotations)
    found = _by_image_and_class(detections)
    order = sorted(set(images))
    table: MatchTable = {area: [] for area in areas}
    for category in category_ids:
        per_image = [
            _match_image(truth[i, category], found[i, category], thresholds, max_dets, areas)
            for i in order
        ]
        for column, area in enumerate(areas):
            table[area].append(_joined([matches[column] for matches in per_image]))
    return table


@dataclass(frozen=True)
class _ImageMatches:
    scores: np.ndarray  # (D,), falling
    hit: np.ndarray  # (T, D)
    ignored: np.ndarray  # (T, D)
    truth: int


def _by_image_and_class(boxes: Sequence[dict]) -> dict[tuple[int, int], list[dict]]:
    groups = defaultdict(list)
    for box in boxes:
        groups[box['image_id'], box['category_id']].append(box)
    return groups


def _match_image(
    truth: list[dict],
    found: list[dict],
    thresholds: np.ndarray,
    max_dets: int,
    areas: Sequence[str],
) -> list[_ImageMatches]:
    """One class in one image, per area."""
    scores = np.array([box['score'] for box in found], float)
    best = np.argsort(-scores, kind='mergesort')[:max_dets]
    boxes = np.array([box['bbox'] for box in found], float).reshape(-1, 4)[best]
    crowd = np.array([bool(box.get('iscrowd')) for box in truth], bool)
    ious = np.zeros((len(boxes), len(truth)))
    if ious.size:
        true_boxes = np.array([box['bbox'] for box in truth], float)
        ious = mask.iou(boxes, true_boxes, crowd.astype(np.uint8))
    true_area = np.array([box['area'] for box in truth], float)
    matches = []
    for area in areas:
        low, high = AREAS[area]
        no_count = crowd | (true_area < low) | (true_area > high)
        outside = boxes[:, 2] * boxes[:, 3]
        outside = (outside < low) | (outside > high)
        hit, ignored = _match_greedily(ious, no_count, crowd, thresholds)
        ignored |= ~hit & ~ignored & outside
        matches.append(_ImageMatches(scores[best], hit, ignored, int((~no_count).sum())))
    return matches


def _match_greedily(
    ious: np.ndarray, no_count: np.ndarray, crowd: np.ndarray, thresholds: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Hits and detections of boxes that do not count, both ``(T, D)``.

    The best detection chooses first, the free box of highest IoU; boxes that do not count are
    taken only if there is no other. Among equal IoUs COCO takes the last box.
    """
    least = np.minimum(thresholds, 1 - 1e-10)[:, None]
    rows = np.arange(len(least))
    hit = np.zeros((len(least), len(ious)), bool)
    ignored = hit.copy()
    free = np.ones((len(least), len(no_count)), bool)
    for d in np.flatnonzero((ious >= least.min()).any(axis=1)):
        possible = free & (ious[d] >= least)
        for group, result in ((~no_count, hit), (no_count, ignored)):
            value = np.where(possible & group, ious[d], -1.0)
            last_best = value.shape[1] - 1 - value[:, ::-1].argmax(axis=1)
            matched = (value[rows, last_best] >= 0) & ~hit[:, d]
            result[:, d] = matched
            taken = matched & ~crowd[last_best]
            free[rows[taken], last_best[taken]] = False
    return hit, ignored


def _joined(per_image: Sequence[_ImageMatches]) -> ClassMatches:
    """All images of a class, sorted by score; ties in the order of the images."""
    scores = np.concatenate([matches.scores for matches in per_image])
    counts = [len(matches.scores) for matches in per_image]
    order = np.argsort(-scores, kind='mergesort')
    ranks = [np.arange(count) for count in counts]
    return ClassMatches(
        np.repeat(np.arange(len(per_image)), counts)[order],
        np.concatenate(ranks)[order],
        np.concatenate([matches.hit for matches in per_image], axis=1)[:, order],
        np.concatenate([matches.ignored for matches in per_image], axis=1)[:, order],
        np.array([matches.truth for matches in per_image]),
    )
