"""What labels of an image would tell a detector: how unsure it is of the small objects there."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch

from abc_mmdet.inference import Detections
from abc_mmdet.models.wasserstein import pairwise_nwd

SMALL = 32**2
"""Area in pixels of the image file, below which an object is small (COCO)."""
LEAST_SCORE = 0.05
"""Detections with a lower one are not looked at."""
ALIKE = 0.5
"""Normalised Wasserstein distance, over the mean size of both boxes, of views of one object."""


@dataclass(frozen=True)
class Informativeness:
    """Of one image, without anybody having labelled it. In both, an object counts from 0 to 1.

    Attributes:
        uncertainty: entropy in bits of the scores of small detections, summed: an image is worth
            more the more objects it has of which the detector is unsure (the sum selects better
            than mean and maximum; Brust et al., 2019, "Active learning for deep object detection").
        disagreement: what the whole image and its slices say differently, summed over small
            detections: the difference of two scores, or the score of what only one of them found.
            The two views stand for two members of a committee (Seung et al., 1992, "Query by
            committee").

    Examples:
        >>> Informativeness(uncertainty=3.5, disagreement=1.25).weight
        5.75
    """

    uncertainty: float
    disagreement: float

    @property
    def weight(self) -> float:
        """How much the image counts, above 0.

        Where nothing was found there may be what the detector is blind for: that counts as one
        object of which it is unsure.
        """
        return 1.0 + self.uncertainty + self.disagreement


def informativeness(whole: Detections, sliced: Detections | None = None) -> Informativeness:
    """Of an image.

    Args:
        whole: what was found in the whole image, at any score.
        sliced: what was found in its slices, if it was looked at so.
    """
    uncertainty = float(entropy(_small(whole).scores).sum())
    return Informativeness(uncertainty, 0.0 if sliced is None else disagreement(whole, sliced))


def entropy(scores: np.ndarray) -> np.ndarray:
    """Of a yes or no with these probabilities, in bits: 1 at 0.5, 0 at 0 and 1.

    Examples:
        >>> entropy(np.array([0.5, 1.0])).round(3).tolist()
        [1.0, 0.0]
    """
    p = np.clip(scores.astype(float), 1e-12, 1 - 1e-12)
    return -(p * np.log2(p) + (1 - p) * np.log2(1 - p))


def disagreement(whole: Detections, sliced: Detections) -> float:
    """See :class:`Informativeness`."""
    ours, theirs = _small(whole), _small(sliced)
    pairs = _pairs(ours, theirs)
    differences = sum(abs(float(ours.scores[i] - theirs.scores[j])) for i, j in pairs)
    alone = [
        float(np.delete(found.scores, [pair[side] for pair in pairs]).sum())
        for side, found in enumerate((ours, theirs))
    ]
    return differences + sum(alone)


def _small(found: Detections) -> Detections:
    sides = found.boxes[:, 2:] - found.boxes[:, :2]
    keep = (sides.prod(1) < SMALL) & (found.scores >= LEAST_SCORE)
    return replace(
        found, boxes=found.boxes[keep], scores=found.scores[keep], labels=found.labels[keep]
    )


def _pairs(ours: Detections, theirs: Detections) -> list[tuple[int, int]]:
    """Detections of one object, of one class, in both: the most alike first, each at most once."""
    if not (len(ours) and len(theirs)):
        return []
    a, b = torch.from_numpy(ours.boxes), torch.from_numpy(theirs.boxes)
    size_a, size_b = ((x[:, 2:] - x[:, :2]).prod(1).clamp(min=1).sqrt() for x in (a, b))
    alike = pairwise_nwd(a, b, (size_a[:, None] + size_b[None]) / 2).numpy()
    alike = np.where(ours.labels[:, None] == theirs.labels[None], alike, 0)
    first, second = np.nonzero(alike >= ALIKE)
    order = np.argsort(-alike[first, second], kind='stable')
    taken_a: set[int] = set()
    taken_b: set[int] = set()
    pairs = []
    for i, j in zip(first[order].tolist(), second[order].tolist(), strict=True):
        if i not in taken_a and j not in taken_b:
            taken_a.add(i)
            taken_b.add(j)
            pairs.append((i, j))
    return pairs
