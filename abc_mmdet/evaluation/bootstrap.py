"""How sure a difference between two models is: bootstrap over images and seeds, paired."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence

import numpy as np

from .average_precision import average_precision
from .matching import MatchTable

HEADLINE = ('bbox_mAP_small_classes', 'bbox_mAP_s', 'bbox_mAP')
"""What models are compared by, named as :class:`SmallObjectMetric` names it."""

FIRST_AND_MOST = (100, None)
"""Detections per image and class that ``bbox_mAP`` looks at, and the others."""

RESAMPLES = 1000
CHUNK = 64  # resamples at a time, for the sake of memory


def group_numbers(names: Iterable[Hashable]) -> list[int]:
    """``groups`` of :func:`image_weights` for images that belong to what is named, in their order.

    Examples:
        >>> group_numbers(['b', 'a', 'b'])
        [0, 1, 0]
    """
    names = list(names)
    number = {name: n for n, name in enumerate(dict.fromkeys(names))}
    return [number[name] for name in names]


def image_weights(
    images: int, resamples: int = RESAMPLES, groups: Sequence[int] | None = None
) -> np.ndarray:
    """``(resamples, images)``: how often each image was drawn.

    The same for every run, which is what pairs the runs: resample b of one run and resample b of
    another are AP on the same images.

    Args:
        images: how many there are.
        resamples: how often they are drawn.
        groups: ``(images,)`` which of them are drawn together, as the frames of one recording,
            numbered from 0; default: each by itself.
    """
    group = np.arange(images) if groups is None else np.asarray(groups, int)
    number = int(group.max(initial=-1)) + 1
    drawn = np.random.default_rng(0).integers(number, size=(resamples, number))
    weights = np.zeros((resamples, number), int)
    np.add.at(weights, (np.arange(resamples)[:, None], drawn), 1)
    return weights[:, group]


def resampled_ap(
    table: MatchTable,
    small: Sequence[int],
    resamples: int = RESAMPLES,
    groups: Sequence[int] | None = None,
    max_dets: Sequence[int | None] = FIRST_AND_MOST,
) -> dict[str, np.ndarray]:
    """The :data:`HEADLINE` metrics of one run in each resample of the images.

    Args:
        table: images in the order of their ids.
        small: labels of the small classes.
        resamples, groups: as in :func:`image_weights`.
        max_dets: as in :func:`headline_ap`.

    Returns:
        ``(resamples,)`` per metric.
    """
    images = len(table['all'][0].positives)
    weights = image_weights(images, resamples, groups)
    chunks = [
        headline_ap(table, weights[begin : begin + CHUNK], small, max_dets)
        for begin in range(0, resamples, CHUNK)
    ]
    return {name: np.concatenate([chunk[name] for chunk in chunks]) for name in chunks[0]}


def headline_ap(
    table: MatchTable,
    weights: np.ndarray,
    small: Sequence[int],
    max_dets: Sequence[int | None] = FIRST_AND_MOST,
) -> dict[str, np.ndarray]:
    """The :data:`HEADLINE` metrics of each row of weights.

    Args:
        table: matches of the areas ``all`` and ``s``.
        weights: ``(B, N)``, how often each image counts.
        small: labels of the small classes.
        max_dets: detections per image and class: the first number is that of ``bbox_mAP``, the
            last that of the others; None takes all.

    Returns:
        ``(B,)`` per metric.
    """
    first, most = max_dets[0], max_dets[-1]

    def by_class(area: str, number: int | None) -> np.ndarray:
        return np.stack([average_precision(m, weights, number) for m in table[area]])

    return {
        'bbox_mAP_small_classes': _mean(by_class('all', most)[list(small)]),
        'bbox_mAP_s': _mean(by_class('s', most)),
        'bbox_mAP': _mean(by_class('all', first)),
    }


def _mean(per_class: np.ndarray) -> np.ndarray:
    """Mean over the classes that have ground truth, nan where none has any."""
    present = ~np.isnan(per_class)
    total = np.where(present, per_class, 0.0).sum(axis=0)
    counts = present.sum(axis=0)
    return np.where(counts > 0, total / np.maximum(counts, 1), np.nan)


def difference_interval(
    ours: Mapping[int, np.ndarray], theirs: Mapping[int, np.ndarray], level: float = 0.95
) -> tuple[float, float]:
    """Confidence interval of the mean difference of two models over the seeds both have.

    Seeds are drawn with replacement, as the images are, and the same for both models. So few seeds
    drawn from themselves vary less than new ones would, by (n - 1) / n; their deviations are
    stretched by as much. One seed says nothing about others: then the interval is that over
    images alone.

    Args:
        ours, theirs: :func:`resampled_ap` of one metric, per seed.
        level: of the interval.
    """
    seeds = sorted(set(ours) & set(theirs))
    difference = np.stack([np.asarray(ours[s]) - np.asarray(theirs[s]) for s in seeds])
    centre = difference.mean(axis=0)
    count, resamples = difference.shape
    if count > 1:
        draws = 4  # of seeds for each draw of images
        picked = np.random.default_rng(1).integers(count, size=(count, draws * resamples))
        columns = np.tile(np.arange(resamples), draws)
        deviation = (difference - centre)[picked, columns].mean(axis=0)
        centre = np.tile(centre, draws) + deviation * np.sqrt(count / (count - 1))
    tail = (1 - level) / 2
    low, high = np.nanquantile(centre, [tail, 1 - tail])
    return float(low), float(high)
