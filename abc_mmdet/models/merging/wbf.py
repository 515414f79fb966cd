"""Weighted boxes fusion: a group gets the mean of its boxes, weighted by their scores."""

import torch
from torch import Tensor

from .matching import overlap


def merge_wbf(
    boxes: Tensor, scores: Tensor, labels: Tensor, num_views: Tensor, threshold: float, metric: str
) -> tuple[Tensor, Tensor, Tensor]:
    """As :class:`~abc_mmdet.models.merging.MergeDetections`.

    Solovyev et al., 2019, "Weighted boxes fusion". Best first, every box joins the group whose
    *mean* it overlaps most, or begins one of its own. A group scores the mean of its scores, less
    if only some of the views that show the place found it: times ``min(size, views) / views``.
    (In the paper the views are detectors, and all of them see everything.)

    Means change with every box that joins, so boxes are taken one by one, on the CPU.
    """
    order = scores.argsort(descending=True, stable=True)
    device = boxes.device
    boxes_in_order, weights = boxes[order].cpu().double(), scores[order].cpu().double()
    names, views = labels[order].cpu(), num_views[order].cpu().double()
    firsts = torch.zeros(len(boxes), dtype=torch.long)
    means = torch.zeros_like(boxes_in_order)
    sums = torch.zeros_like(boxes_in_order)  # of weighted boxes
    totals = torch.zeros_like(weights)  # of weights
    sizes = torch.zeros_like(weights)
    classes = torch.zeros_like(names)
    number = 0
    for i, (box, weight) in enumerate(zip(boxes_in_order, weights, strict=True)):
        group = number
        if number:
            found = overlap(means[:number], box, metric)
            found = torch.where(classes[:number] == names[i], found, -1)
            best = int(found.argmax())
            if found[best] >= threshold:
                group = best
        if group == number:
            firsts[number], classes[number] = i, names[i]
            number += 1
        sums[group] += box * weight
        totals[group] += weight
        sizes[group] += 1
        means[group] = sums[group] / totals[group] if totals[group] > 0 else box
    seen = views[firsts[:number]].clamp(min=1)
    fused = totals[:number] / sizes[:number] * torch.minimum(sizes[:number], seen) / seen
    fused, best_first = fused.sort(descending=True, stable=True)
    kept = order[firsts[:number][best_first].to(device)]
    return (
        kept,
        means[:number][best_first].to(boxes),
        fused.to(scores),
    )
