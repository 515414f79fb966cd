"""A box loss that still tells better from worse where IoU is zero."""

import math

import torch
from torch import Tensor, nn

from abc_mmdet.errors import UserError
from abc_mmdet.models.wasserstein import NWDConstant, aligned_nwd
from mmdet.models.losses.utils import weight_reduce_loss
from mmdet.registry import MODELS
from mmdet.utils import ConfigType

from .per_box import check_per_box


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
