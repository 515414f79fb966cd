"""A box loss that counts small objects more."""

from torch import Tensor, nn

from abc_mmdet.errors import UserError
from mmdet.registry import MODELS
from mmdet.utils import ConfigType

from .nwd_blend_loss import NWDBlendLoss
from .per_box import check_per_box

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
