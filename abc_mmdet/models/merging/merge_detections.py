"""Detections of several views of one image, made into one list."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from torch import Tensor

from abc_mmdet.errors import UserError

from .matching import METRICS
from .methods import merge_nmm, merge_nms, merge_wbf

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
