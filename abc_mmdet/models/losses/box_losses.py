"""Box losses that count small objects more, and still tell better from worse where IoU is zero."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from abc_mmdet.errors import UserError
from abc_mmdet.models.wasserstein import NWDConstant, aligned_nwd
from mmdet.models.losses.utils import weight_reduce_loss
from mmdet.registry import MODELS
from mmdet.utils import ConfigType


def check_per_box(loss: nn.Module, field: str) -> None:
    """Refuse a box loss that cannot be weighted or blended box by box.

    Losses of coordinates (L1) give four numbers a box, some IoU losses want four weights.

    Args:
        loss: MMDetection's signature.
        field: where it was named, for the message.

    Raises:
        UserError: its loss of two boxes is not of shape ``(2,)``.
    """
    boxes = torch.tensor([[0.0, 0.0, 8.0, 8.0], [0.0, 0.0, 4.0, 6.0]])
    try:
        shape = tuple(loss(boxes + 1, boxes, torch.ones(2), reduction_override='none').shape)
    except (RuntimeError, AssertionError, IndexError, ValueError):
        shape = ()
    if shape != (2,):
        raise UserError(
            f'{field}={type(loss).__name__} does not give one loss a box, which is weighted by the '
            'size of the box: take one that does, such as IoULoss, GIoULoss, DIoULoss or CIoULoss.'
        )


@MODELS.register_module()
class NWDBlendLoss(nn.Module):
    """Any box loss, for small boxes blended with the normalised Wasserstein distance.

    A box with an area up to ``max_area`` loses ``(1 - share) * box_loss + share * (1 - NWD)``, a
    larger one ``box_loss``. Both terms carry the box loss's own ``loss_weight``. A blend, since
    each has what the other lacks: IoU is zero, and so is its gradient, when a tiny box is missed
    by a few pixels; NWD is hard to satisfy by a box that fits, but flat for one that is far off.

    Areas and the constant are in the units of the boxes a head hands over: pixels of the network
    input for YOLOX and RTMDet, strides for GFL, which needs a ``constant`` in the config then.

    To weigh small boxes as well, put this loss *into* :class:`SizeAwareIoULoss`, as its
    ``iou_loss``.

    Args:
        box_loss: the loss to be blended; any box loss of MMDetection on ``xyxy`` boxes.
        share: of NWD in the blend, from 0 to 1.
        max_area: area up to which boxes are small; ``None`` blends all of them.
        constant: mean absolute size of the boxes. ``None``: :class:`NWDConstantHook` measures it.
        **overrides: further fields of ``box_loss`` (``mode='square'``, ``loss_weight=5.0``), so
            that a child config only has to exchange the ``type`` of a head's ``loss_bbox``.

    Raises:
        UserError: a share, area or constant out of range; a box loss without ``loss_weight``, or
            that does not give one number a box.

    Examples:
        >>> loss = NWDBlendLoss(constant=12.0, reduction='none')
        >>> near, far = torch.tensor([[9.0, 0, 13, 4]]), torch.tensor([[19.0, 0, 23, 4]])
        >>> box = torch.tensor([[0.0, 0, 4, 4]])
        >>> bool(loss(near, box) < loss(far, box))  # although neither overlaps
        True
    """

    def __init__(
        self,
        box_loss: ConfigType | None = None,
        share: float = 0.5,
        max_area: float | None = 32.0**2,
        constant: float | None = None,
        **overrides: object,
    ) -> None:
        super().__init__()
        if not 0 <= share <= 1:
            raise UserError(f'NWDBlendLoss share={share}: give a share from 0 to 1.')
        if max_area is not None and not max_area > 0:
            raise UserError(f'NWDBlendLoss max_area={max_area}: give a positive area, or None.')
        self.share = share
        self.max_area = math.inf if max_area is None else max_area
        self.nwd_constant = NWDConstant(constant)
        self.box_loss = MODELS.build({**(box_loss or dict(type='IoULoss')), **overrides})
        if not hasattr(self.box_loss, 'loss_weight'):
            raise UserError(
                f'NWDBlendLoss box_loss={type(self.box_loss).__name__} has no loss_weight to '
                "share. SizeAwareIoULoss goes around: loss_bbox=dict(type='SizeAwareIoULoss', "
                "iou_loss=dict(type='NWDBlendLoss', ...))."
            )
        check_per_box(self.box_loss, 'NWDBlendLoss box_loss')
        self.reduction = self.box_loss.reduction
        self.loss_weight = self.box_loss.loss_weight

    def forward(
        self,
        pred: Tensor,
        target: Tensor,
        weight: Tensor | None = None,
        avg_factor: float | None = None,
        reduction_override: str | None = None,
        **kwargs: object,
    ) -> Tensor:
        """Loss of ``(N, 4)`` predicted against ``(N, 4)`` ground-truth boxes, ``xyxy``.

        Args:
            weight: ``(N,)`` or ``(N, 4)`` weights of the boxes.
            avg_factor: divisor of the mean, as in MMDetection's losses.
            reduction_override: ``none``, ``mean`` or ``sum`` instead of the configured reduction.
        """
        dtype = torch.promote_types(pred.dtype, torch.float32)  # areas overflow half precision
        pred, target = pred.to(dtype), target.to(dtype)
        box_loss = self.box_loss(pred, target, reduction_override='none', **kwargs)
        nwd_loss = 1 - aligned_nwd(pred, target, self.nwd_constant.known())
        is_small = (target[:, 2:] - target[:, :2]).prod(-1) <= self.max_area
        blend = torch.lerp(box_loss, self.loss_weight * nwd_loss, self.share)
        loss = torch.where(is_small, blend, box_loss)
        if weight is not None and weight.dim() > 1:
            weight = weight.mean(-1)
        return weight_reduce_loss(loss, weight, reduction_override or self.reduction, avg_factor)


WEIGHTINGS = ('exponential', 'linear', 'step')


@MODELS.register_module()
class SizeAwareIoULoss(nn.Module):
    """Any IoU loss, weighted by the area of the ground-truth box.

    A box up to ``small_area`` weighs ``max_weight``, one from ``large_area`` on weighs 1. Between
    the two, with ``t`` running from 0 to 1 over the area:

    - ``exponential``: ``max_weight ** (1 - t)``
    - ``linear``: ``max_weight - (max_weight - 1) * t``
    - ``step``: ``(1 + max_weight) / 2``

    The default limits are those of COCO's small and medium objects, 32² and 96² px. Areas are in
    the units of the boxes a head hands over: pixels of the network input for YOLOX and RTMDet,
    but strides for GFL, which divides its boxes by the stride of their level.

    Args:
        weighting: how the weight falls with the area.
        max_weight: weight of the smallest boxes, at least 1.
        small_area: area up to which ``max_weight`` holds.
        large_area: area from which on the weight is 1.
        iou_loss: the loss to be weighted; any box loss of MMDetection on ``xyxy`` boxes.
        **overrides: further fields of ``iou_loss`` (``mode='square'``, ``loss_weight=5.0``), so
            that a child config only has to exchange the ``type`` of a head's ``loss_bbox``.

    Raises:
        UserError: an unknown weighting, a weight below 1, limits in the wrong order, or a loss
            that does not give one number a box.

    Examples:
        >>> loss = SizeAwareIoULoss(max_weight=2.5)
        >>> loss.size_weight(torch.tensor([[0.0, 0, 8, 8], [0, 0, 100, 100]])).tolist()
        [2.5, 1.0]
    """

    def __init__(
        self,
        weighting: str = 'exponential',
        max_weight: float = 2.5,
        small_area: float = 32.0**2,
        large_area: float = 96.0**2,
        iou_loss: ConfigType | None = None,
        **overrides: object,
    ) -> None:
        super().__init__()
        if weighting not in WEIGHTINGS:
            raise UserError(
                f'SizeAwareIoULoss weighting={weighting!r} is unknown; use one of {WEIGHTINGS}.'
            )
        if max_weight < 1:
            raise UserError(f'SizeAwareIoULoss max_weight={max_weight} is below 1.')
        if not 0 <= small_area < large_area:
            raise UserError(
                f'SizeAwareIoULoss needs 0 <= small_area < large_area, got {small_area} and '
                f'{large_area} (pixels²).'
            )
        self.weighting = weighting
        self.max_weight = max_weight
        self.small_area = small_area
        self.large_area = large_area
        self.iou_loss = MODELS.build({**(iou_loss or dict(type='IoULoss')), **overrides})
        if not isinstance(self.iou_loss, NWDBlendLoss):  # which is, and has to be measured first
            check_per_box(self.iou_loss, 'SizeAwareIoULoss iou_loss')

    def size_weight(self, target: Tensor) -> Tensor:
        """``(N,)`` weights of ``(N, 4)`` ground-truth boxes, ``xyxy``."""
        sides = (target[:, 2:] - target[:, :2]).clamp(min=0)
        area = sides[:, 0] * sides[:, 1]
        t = ((area - self.small_area) / (self.large_area - self.small_area)).clamp(0, 1)
        if self.weighting == 'exponential':
            return self.max_weight ** (1 - t)
        if self.weighting == 'step':
            t = t.ceil() / 2 + t.floor() / 2
        return self.max_weight - (self.max_weight - 1) * t

    def forward(
        self,
        pred: Tensor,
        target: Tensor,
        weight: Tensor | None = None,
        avg_factor: float | None = None,
        reduction_override: str | None = None,
        **kwargs: object,
    ) -> Tensor:
        """Loss of ``(N, 4)`` predicted against ``(N, 4)`` ground-truth boxes, ``xyxy``.

        Args:
            weight: ``(N,)`` or ``(N, 4)`` weights given by the head; multiplied with the size
                weight.
            avg_factor: divisor of the mean, as in MMDetection's losses.
            reduction_override: ``none``, ``mean`` or ``sum`` instead of the configured reduction.
        """
        size_weight = self.size_weight(target)
        if weight is not None:
            size_weight = size_weight * (weight.mean(-1) if weight.dim() > 1 else weight)
        return self.iou_loss(
            pred,
            target,
            weight=size_weight,
            avg_factor=avg_factor,
            reduction_override=reduction_override,
            **kwargs,
        )
