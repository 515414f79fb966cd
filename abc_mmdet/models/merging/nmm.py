"""Greedy non-maximum merging: the best of a group gets the box around the group."""

import torch
from torch import Tensor

from .matching import greedy_keepers, matching_pairs, overlap


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
