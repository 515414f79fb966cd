"""YOLOX's head with a finest level that can start as a copy of the next one."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from abc_mmdet.errors import UserError
from mmdet.models.dense_heads import YOLOXHead
from mmdet.registry import MODELS


@MODELS.register_module()
class GrownYOLOXHead(YOLOXHead):
    """:class:`YOLOXHead` whose finest level can detect what the next one does, box for box.

    For features that repeat every location 2 x 2 (:class:`GrownPAFPN`) two things are needed:

    - The 3 x 3 convolutions of the finest level have dilation 2. Then the neighbours of a location
      are those it has one level up, zeros around the image included, at the same cost.
    - Its box layer has a bias for each of the four places that a location can have within the one
      above (:class:`PlaceBiasConv2d`). Prior ``(i, j)`` of stride ``2s`` lies at ``2s * j``, its
      copies at ``2s * j`` and ``2s * j + s``. For the same centre, a prediction of ``dx`` becomes
      ``2 * dx`` and ``2 * dx - 1``; for the same width, ``dw`` becomes ``dw + log(2)``. Without
      these biases the best is ``2 * dx - 0.5``, with which four boxes lie ``s / 2`` off: at
      stride 4 their IoU with the old box is below 0.65 for boxes of less than 17 pixels, so NMS
      keeps them beside it.

    ``load_from`` fills it from a detector without the level
    (:func:`~abc_mmdet.models.pretrained_weights.transfer`).

    Args:
        **kwargs: as in :class:`YOLOXHead`; ``strides`` begin with that of the new level.

    Raises:
        UserError: the second stride is not twice the first; deformable convolutions.

    Example:
        >>> GrownYOLOXHead(num_classes=3, in_channels=64, feat_channels=64, strides=(4, 8, 16, 32))
    """

    def _init_layers(self) -> None:
        strides = self.strides
        if len(strides) < 2 or strides[1] != 2 * strides[0]:
            raise UserError(
                f'GrownYOLOXHead strides={tuple(strides)}: the second has to be twice the first, '
                'for example (4, 8, 16, 32).'
            )
        if self.dcn_on_last_conv:
            raise UserError('GrownYOLOXHead: dcn_on_last_conv=True cannot be copied; leave it out.')
        super()._init_layers()
        for tower in (self.multi_level_cls_convs[0], self.multi_level_reg_convs[0]):
            for conv in tower.modules():
                if isinstance(conv, nn.Conv2d) and conv.kernel_size == (3, 3):
                    conv.dilation = conv.padding = (2, 2)
        self.multi_level_conv_reg[0] = PlaceBiasConv2d(self.feat_channels, 4, 1)


class PlaceBiasConv2d(nn.Conv2d):
    """A convolution with one more bias for each place within blocks of 2 x 2 locations.

    ``place_bias`` is ``(C, 2, 2)``: channel, row odd, column odd. It starts at zero.

    Args:
        *args, **kwargs: as in :class:`torch.nn.Conv2d`.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.place_bias = nn.Parameter(torch.zeros(self.out_channels, 2, 2))

    def forward(self, x: Tensor) -> Tensor:
        """``(B, C_in, H, W)`` to ``(B, C, H, W)``."""
        result = super().forward(x)
        height, width = result.shape[-2:]
        biases = self.place_bias.repeat(1, (height + 1) // 2, (width + 1) // 2)
        return result + biases[:, :height, :width]
