"""How a group of detections becomes one: suppression (NMS), merging (NMM) or fusion (WBF)."""

import numba
import numpy as np
import torch
from torch import Tensor

from .matching import greedy_keepers, matching_pairs, overlap


def merge_nms(
    boxes: Tensor, scores: Tensor, labels: Tensor, _: Tensor, threshold: float, metric: str
) -> tuple[Tensor, Tensor, Tensor]:
    """As :class:`~abc_mmdet.models.merging.MergeDetections`; the fourth argument is not used."""
    order = scores.argsort(descending=True, stable=True)
    pairs = matching_pairs(boxes[order], labels[order], threshold, metric)
    keepers = greedy_keepers(pairs, len(boxes))
    kept = order[keepers.unique()]
    return kept, boxes[kept], scores[kept]


def merge_nmm(
    boxes: Tensor, scores: Tensor, labels: Tensor, _: Tensor, threshold: float, metric: str
) -> tuple[Tensor, Tensor, Tensor]:
    """As :class:`~abc_mmdet.models.merging.MergeDetections`; the fourth argument is not used.

    SAHI's ``GREEDYNMM`` (Akyon et al., 2022): groups are those of non-maximum suppression. The
    boxes of a group are added one after the other, best first, each if it still overlaps enough
    with the box that has grown so far; the others are dropped. The score is the best one's.
    """
    order = scores.argsort(descending=True, stable=True)
    boxes_in_order = boxes[order]
    pairs = matching_pairs(boxes_in_order, labels[order], threshold, metric)
    keepers = greedy_keepers(pairs, len(boxes))
    grown = boxes_in_order.clone()
    # All groups at once: the second best of each, then the third best of each, ...
    members, places = _places_in_group(keepers)
    for place in range(1, int(places.max()) + 1):
        member = members[places == place]
        keeper = keepers[member]
        ours, theirs = grown[keeper], boxes_in_order[member]
        union = torch.cat(
            [
                torch.minimum(ours[:, :2], theirs[:, :2]),
                torch.maximum(ours[:, 2:], theirs[:, 2:]),
            ],
            dim=1,
        )
        fits = overlap(ours, theirs, metric) >= threshold
        grown[keeper] = torch.where(fits[:, None], union, ours)
    standing = keepers.unique()
    kept = order[standing]
    return kept, grown[standing], scores[kept]


def _places_in_group(keepers: Tensor) -> tuple[Tensor, Tensor]:
    """Detections group by group, best first, and the place of each in its group, from 0."""
    members = keepers.argsort(stable=True)
    _, sizes = keepers.unique(return_counts=True)
    first = (sizes.cumsum(0) - sizes).repeat_interleave(sizes)
    return members, torch.arange(len(keepers), device=keepers.device) - first


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
