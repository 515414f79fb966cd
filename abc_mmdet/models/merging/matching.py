"""Which detections overlap enough to be one, without comparing all with all."""

from __future__ import annotations

import torch
from torch import Tensor

METRICS = ('iou', 'ios')
MOST_PAIRS = 1 << 20
"""That are compared at a time; a bound of the memory that is taken."""


def overlap(a: Tensor, b: Tensor, metric: str) -> Tensor:
    """Overlap of boxes ``(..., 4)`` with boxes ``(..., 4)``, broadcast; 0 where both are empty.

    Args:
        a, b: ``xyxy``.
        metric: ``iou``, or ``ios``: intersection over the smaller area.
    """
    sides = torch.minimum(a[..., 2:], b[..., 2:]) - torch.maximum(a[..., :2], b[..., :2])
    intersection = sides.clamp(min=0).prod(-1)
    areas = [(box[..., 2:] - box[..., :2]).prod(-1) for box in (a, b)]
    smaller = torch.minimum(*areas)
    whole = smaller if metric == 'ios' else areas[0] + areas[1] - intersection
    return torch.where(whole > 0, intersection / whole, 0)


def matching_pairs(boxes: Tensor, labels: Tensor, threshold: float, metric: str) -> Tensor:
    """``(2, P)`` pairs of detections of one class that overlap by ``threshold`` or more, i < j.

    Boxes are sorted by their left side, so each is compared only with those that begin before it
    ends: of small objects in a large image a small share.

    Args:
        boxes: ``(N, 4)``, ``xyxy``.
        labels: ``(N,)``.
        threshold: above 0.
        metric: as in :func:`overlap`.
    """
    # Classes side by side: boxes of different ones then never overlap
    low, high = boxes[:, 0].min(), boxes[:, 2].max()
    shift = labels.to(torch.float64) * (high - low + 1).double()
    left, right = boxes[:, 0].double() + shift, boxes[:, 2].double() + shift
    left, order = left.sort()
    stop = torch.searchsorted(left, right[order].contiguous())
    number = torch.arange(len(boxes), device=boxes.device)
    counts = (stop - number - 1).clamp(min=0)
    ends = counts.cumsum(0)
    total = int(ends[-1])
    found = []
    for begin in range(0, total or 1, MOST_PAIRS):
        pair = torch.arange(begin, min(begin + MOST_PAIRS, total), device=boxes.device)
        first = torch.searchsorted(ends, pair, right=True)
        second = first + 1 + pair - (ends - counts)[first]
        first, second = order[first], order[second]
        touch = (boxes[first, 1] < boxes[second, 3]) & (boxes[second, 1] < boxes[first, 3])
        pairs = torch.stack([first[touch], second[touch]]).sort(0).values
        match = overlap(boxes[pairs[0]], boxes[pairs[1]], metric) >= threshold
        found.append(pairs[:, match])
    return torch.cat(found, dim=1)


def greedy_keepers(pairs: Tensor, number: int) -> Tensor:
    """``(N,)`` for each detection, best first, the one that stands for it: itself or a better one.

    The best one takes all that match it, the best of those left takes all that match it, and so
    on: the loop of non-maximum suppression, in as many rounds as there are links in its longest
    chain. Every round settles all detections that no unsettled better one matches.

    Args:
        pairs: ``(2, P)`` matching pairs, the better one first.
        number: N.
    """
    better, worse = pairs
    unsettled = torch.ones(number, dtype=torch.bool, device=pairs.device)
    kept = torch.zeros_like(unsettled)
    while unsettled.any():
        waits = torch.zeros_like(unsettled)
        waits[worse[unsettled[better]]] = True
        new = unsettled & ~waits
        kept |= new
        unsettled &= waits
        unsettled[worse[new[better]]] = False
    keepers = torch.arange(number, device=pairs.device)
    taken = kept[better] & ~kept[worse]
    keepers = torch.where(kept, keepers, number)
    return keepers.scatter_reduce(0, worse[taken], better[taken], 'amin')
