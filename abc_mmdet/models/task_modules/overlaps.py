"""Overlaps of boxes too small for IoU, for the assigners of MMDetection and for trackers."""

from __future__ import annotations

import torch
from torch import Tensor

from abc_mmdet.errors import UserError
from abc_mmdet.models.wasserstein import NWDConstant, aligned_nwd, pairwise_nwd
from mmdet.models.task_modules.assigners import BboxOverlaps2D
from mmdet.registry import TASK_UTILS
from mmdet.structures.bbox import BaseBoxes, get_box_tensor


@TASK_UTILS.register_module()
class NWDOverlaps2D(BboxOverlaps2D):
    """Normalised Wasserstein distance in place of IoU; an ``iou_calculator`` for any assigner.

    With ``FastSimOTAAssigner(iou_calculator=dict(type='NWDOverlaps2D'))`` it takes the place of
    IoU throughout: in the cost, in the number of priors a box gets (a tiny box that hardly
    overlaps any prediction gets more than one), and in the class scores that YOLOX learns.

    It suits tasks whose boxes are about as large as ``constant``: ten pixels off are as bad for a
    lorry as for a pedestrian. So it belongs into the auxiliary head's assigner first.

    Args:
        constant: mean absolute size of the boxes, in pixels of the network input. ``None``:
            :class:`NWDConstantHook` measures it before training.

    Raises:
        UserError: a constant that is not positive, or one that is needed and not known.
    """

    def __init__(self, constant: float | None = None) -> None:
        super().__init__()
        self.nwd_constant = NWDConstant(constant)

    def __call__(
        self,
        bboxes1: Tensor | BaseBoxes,
        bboxes2: Tensor | BaseBoxes,
        mode: str = 'iou',
        is_aligned: bool = False,
    ) -> Tensor:
        """Likeness in [0, 1] of ``(M, 4)`` and ``(N, 4)`` boxes, ``xyxy``.

        Args:
            mode: ``iou``; for any other (assigners ask for ``iof`` with ignored regions) the
                answer is that of :class:`BboxOverlaps2D`.
            is_aligned: compare row by row.

        Returns:
            ``(M, N)``, or ``(N,)`` if aligned; float32 for half precision.
        """
        if mode != 'iou':
            return super().__call__(bboxes1, bboxes2, mode, is_aligned)
        compare = aligned_nwd if is_aligned else pairwise_nwd
        boxes, others = get_box_tensor(bboxes1), get_box_tensor(bboxes2)
        return compare(boxes, others, self.nwd_constant.known())

    def __repr__(self) -> str:
        return f'{type(self).__name__}(constant={self.nwd_constant.value})'


@TASK_UTILS.register_module()
class BufferedOverlaps2D(BboxOverlaps2D):
    """IoU of boxes with a margin around them (Yang et al., 2023, "Hard to track objects with
    irregular motions and similar appearances? Make it easier by buffering the matching space").

    Args:
        buffer: margin at each side, as a share of the box's width and height. Equal boxes of side
            ``s`` overlap up to ``s * (1 + 2 * buffer)`` apart; 0: plain IoU.

    Raises:
        UserError: a negative buffer.

    Examples:
        >>> overlaps = BufferedOverlaps2D(buffer=0.5)
        >>> overlaps(torch.tensor([[0., 0., 8., 8.]]), torch.tensor([[8., 0., 16., 8.]])).item()
        0.3333333432674408
    """

    def __init__(self, buffer: float = 0.5) -> None:
        if not 0 <= buffer < float('inf'):
            raise UserError(f'BufferedOverlaps2D buffer={buffer}: give a share of the box from 0.')
        super().__init__()
        self.buffer = buffer

    def __call__(
        self, bboxes1: Tensor, bboxes2: Tensor, mode: str = 'iou', is_aligned: bool = False
    ) -> Tensor:
        """IoU ``(M, N)`` of ``(M, 4)`` and ``(N, 4)`` boxes, ``xyxy``; ``(N,)`` if aligned."""
        grown = self._grown(bboxes1), self._grown(bboxes2)
        return super().__call__(*grown, mode, is_aligned)

    def _grown(self, boxes: Tensor) -> Tensor:
        margin = self.buffer * (boxes[:, 2:4] - boxes[:, :2])
        return torch.cat([boxes[:, :2] - margin, boxes[:, 2:4] + margin], dim=1)


@TASK_UTILS.register_module()
class SizeRelativeNWDOverlaps2D(BboxOverlaps2D):
    """Normalised Wasserstein distance (Wang et al., 2022) with a constant for each pair of boxes.

    There the constant is the mean size of the objects of a data set. In one image a pedestrian
    may be ten times as far off and as small as the next; so here it is ``scale`` times the mean
    size (square root of the area) of the two.

    Args:
        scale: boxes that are as many sizes apart are ``1 / e`` alike.

    Raises:
        UserError: a scale that is not positive.

    Examples:
        >>> overlaps = SizeRelativeNWDOverlaps2D(scale=2.0)
        >>> overlaps(torch.tensor([[0., 0., 8., 8.]]), torch.tensor([[16., 0., 24., 8.]])).item()
        0.3678794503211975
    """

    def __init__(self, scale: float = 1.0) -> None:
        if not 0 < scale < float('inf'):
            raise UserError(f'SizeRelativeNWDOverlaps2D scale={scale}: give a number above 0.')
        super().__init__()
        self.scale = scale

    def __call__(
        self, bboxes1: Tensor, bboxes2: Tensor, mode: str = 'iou', is_aligned: bool = False
    ) -> Tensor:
        """Likeness ``(M, N)`` of ``(M, 4)`` and ``(N, 4)`` boxes, ``xyxy``, from 0 to 1."""
        if mode != 'iou' or is_aligned:
            return super().__call__(bboxes1, bboxes2, mode, is_aligned)
        ours, theirs = (
            (boxes[:, 2:4] - boxes[:, :2]).clamp(min=0).prod(1).sqrt()
            for boxes in (bboxes1, bboxes2)
        )
        size = (ours[:, None] + theirs) / 2
        return pairwise_nwd(bboxes1, bboxes2, self.scale * size.clamp(min=1e-6))
