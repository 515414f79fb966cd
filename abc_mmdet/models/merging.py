"""Detections of several views of an image, made into one list."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numba
import numpy as np
import torch
from torch import Tensor

from abc_mmdet.errors import UserError

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
    matches = []
    for begin in range(0, total or 1, MOST_PAIRS):
        pair = torch.arange(begin, min(begin + MOST_PAIRS, total), device=boxes.device)
        first = torch.searchsorted(ends, pair, right=True)
        second = first + 1 + pair - (ends - counts)[first]
        first, second = order[first], order[second]
        touch = (boxes[first, 1] < boxes[second, 3]) & (boxes[second, 1] < boxes[first, 3])
        pairs = torch.stack([first[touch], second[touch]]).sort(0).values
        match = overlap(boxes[pairs[0]], boxes[pairs[1]], metric) >= threshold
        matches.append(pairs[:, match])
    return torch.cat(matches, dim=1)


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
                share = _overlap(means[g], boxes[i], of_smaller)
                if share >= threshold and share > best:
                    group, best = g, share
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
    """As :func:`~abc_mmdet.models.merging.overlap`, of two boxes."""
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    common = max(width, 0.0) * max(height, 0.0)
    first, second = (a[2] - a[0]) * (a[3] - a[1]), (b[2] - b[0]) * (b[3] - b[1])
    whole = min(first, second) if of_smaller else first + second - common
    return common / whole if whole > 0 else 0.0


MERGES: dict[str, Callable[..., tuple[Tensor, Tensor, Tensor]]] = {
    'nms': merge_nms,
    'nmm': merge_nmm,
    'wbf': merge_wbf,
}


class Merged(NamedTuple):
    """What a merge leaves, the best first.

    Attributes:
        kept: ``(K,)`` indices of the detections that stand for their group.
        boxes: ``(K, 4)`` the boxes they have now.
        scores: ``(K,)`` the scores they have now.

    Examples:
        >>> Merged(kept=Tensor([0]), boxes=Tensor([[0, 0, 8, 8]]), scores=Tensor([0.9])).boxes.shape
        torch.Size([1, 4])
    """

    kept: Tensor
    boxes: Tensor
    scores: Tensor


class MergeDetections:
    """A merge with its settings: ``dict(type='nmm', threshold=0.5, metric='ios')``.

    Args:
        type: ``nms`` keeps the best of a group (non-maximum suppression), ``nmm`` gives it the
            box around the group (greedy non-maximum merging, as in SAHI), ``wbf`` the weighted
            mean of its boxes (weighted boxes fusion; Solovyev et al., 2019).
        threshold: overlap from which on two detections of a class are one, itself included.
        metric: ``iou``, or ``ios`` (intersection over the smaller box), to which a box that a
            slice has cut is all of the whole one.

    Raises:
        UserError: an unknown type or metric, or a threshold that is none.

    Examples:
        >>> merge = MergeDetections(type='nms', threshold=0.5)
        >>> boxes, scores = Tensor([[0, 0, 8, 8], [0, 0, 8, 7]]), Tensor([0.6, 0.9])
        >>> merge(boxes, scores, torch.zeros(2), torch.ones(2)).kept.tolist()
        [1]
    """

    def __init__(self, type: str = 'nms', threshold: float = 0.5, metric: str = 'iou') -> None:
        if type not in MERGES:
            raise UserError(f'merge.type={type!r}: give one of {", ".join(MERGES)}.')
        if metric not in METRICS:
            raise UserError(f'merge.metric={metric!r}: give one of {", ".join(METRICS)}.')
        if not 0 < threshold <= 1:
            raise UserError(f'merge.threshold={threshold}: give a number above 0, up to 1.')
        self.type = type
        self.threshold = threshold
        self.metric = metric

    def __call__(self, boxes: Tensor, scores: Tensor, labels: Tensor, num_views: Tensor) -> Merged:
        """Merge N detections of one image; classes do not mix.

        Args:
            boxes: ``(N, 4)``, ``xyxy``, all in one frame.
            scores: ``(N,)``.
            labels: ``(N,)``.
            num_views: ``(N,)`` in how many views the place of a detection can be seen.
        """
        if len(boxes) == 0:
            return Merged(labels, boxes, scores)
        settings = num_views, self.threshold, self.metric
        return Merged(*MERGES[self.type](boxes, scores, labels, *settings))
