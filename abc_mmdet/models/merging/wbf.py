"""Weighted boxes fusion: a group gets the mean of its boxes, weighted by their scores."""

import numba
import numpy as np
import torch
from torch import Tensor


def merge_wbf(
    boxes: Tensor, scores: Tensor, labels: Tensor, num_views: Tensor, threshold: float, metric: str
) -> tuple[Tensor, Tensor, Tensor]:
    """As :class:`~abc_mmdet.models.merging.MergeDetections`.

    Solovyev et al., 2019, "Weighted boxes fusion". Best first, every box joins the group whose
    *mean* it overlaps most, or begins one of its own. A group scores the mean of its scores, less
    if only some of the views that show the place found it: times ``min(size, views) / views``.
    (In the paper the views are detectors, and all of them see everything.)

    Means change with every box that joins, so boxes are taken one by one, on the CPU, in compiled
    code.
    """
    order = scores.argsort(descending=True, stable=True)
    views = num_views[order].cpu().double()
    firsts, means, totals, sizes = map(
        torch.from_numpy,
        _fuse(
            boxes[order].cpu().double().numpy(),
            scores[order].cpu().double().numpy(),
            labels[order].cpu().numpy(),
            threshold,
            metric == 'ios',
        ),
    )
    seen = views[firsts].clamp(min=1)
    fused = totals / sizes * torch.minimum(sizes, seen) / seen
    fused, best_first = fused.sort(descending=True, stable=True)
    kept = order[firsts[best_first].to(boxes.device)]
    return kept, means[best_first].to(boxes), fused.to(scores)


@numba.njit(cache=True)
def _fuse(boxes, weights, labels, threshold, of_smaller):
    """Groups of boxes that come best first.

    Returns:
        Per group the number of its first box, its mean box, and sum and number of its scores.
    """
    firsts = np.empty(len(boxes), np.int64)
    means, sums = np.empty((len(boxes), 4)), np.zeros((len(boxes), 4))
    totals, sizes = np.zeros(len(boxes)), np.zeros(len(boxes))
    number = 0
    for i in range(len(boxes)):
        group, best = number, 0.0
        for g in range(number):
            if labels[firsts[g]] == labels[i]:
                found = _overlap(means[g], boxes[i], of_smaller)
                if found >= threshold and found > best:
                    group, best = g, found
        if group == number:
            firsts[number] = i
            number += 1
        sums[group] += boxes[i] * weights[i]
        totals[group] += weights[i]
        sizes[group] += 1
        means[group] = sums[group] / totals[group] if totals[group] > 0 else boxes[i]
    return firsts[:number], means[:number], totals[:number], sizes[:number]


@numba.njit(cache=True)
def _overlap(a, b, of_smaller):
    """As :func:`~abc_mmdet.models.merging.matching.overlap`, of two boxes."""
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    common = max(width, 0.0) * max(height, 0.0)
    first, second = (a[2] - a[0]) * (a[3] - a[1]), (b[2] - b[0]) * (b[3] - b[1])
    whole = min(first, second) if of_smaller else first + second - common
    return common / whole if whole > 0 else 0.0
