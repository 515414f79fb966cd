"""YOLOX's PAFPN with a finer level that starts as a copy of its finest one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mmcv.cnn import ConvModule, DepthwiseSeparableConvModule
from torch import Tensor, nn
from torch.nn import functional as F

from abc_mmdet.errors import UserError
from mmdet.models.necks import YOLOXPAFPN
from mmdet.registry import MODELS


@MODELS.register_module()
class GrownPAFPN(YOLOXPAFPN):
    """:class:`YOLOXPAFPN` on all inputs but the finest, and one more level that grows on it.

    The new level is the pyramid's finest output, every location repeated 2 x 2, plus a branch on
    the backbone's finer output whose last layer starts at zero. So a new level says at first what
    the one above it says, and a pretrained detector detects what it did (with
    :class:`GrownYOLOXHead`): growth that preserves the function, as in Chen et al., 2016,
    "Net2Net", with the zero-initialised branch of Bachlechner et al., 2020, "ReZero". The other
    levels do not depend on it and keep the names of the smaller :class:`YOLOXPAFPN`.

    Args:
        in_channels: channels of the backbone's outputs, finest first, that of the new level
            included.
        out_channels: channels of every output.
        use_depthwise: depthwise separable convolutions.
        conv_cfg, norm_cfg, act_cfg, **kwargs: as in :class:`YOLOXPAFPN`.

    Raises:
        UserError: fewer than three levels.

    Example:
        >>> neck = GrownPAFPN([32, 64, 128, 256], 64, num_csp_blocks=1)
    """

    def __init__(
        self,
        in_channels: Sequence[int],
        out_channels: int,
        use_depthwise: bool = False,
        conv_cfg: dict | None = None,
        norm_cfg: dict = dict(type='BN', momentum=0.03, eps=0.001),  # noqa: B006
        act_cfg: dict = dict(type='Swish'),  # noqa: B006
        **kwargs: Any,
    ) -> None:
        if len(in_channels) < 3:
            raise UserError(
                f'GrownPAFPN in_channels={in_channels!r}: give at least three levels, the new one '
                'and two of the pyramid it grows on.'
            )
        options = dict(conv_cfg=conv_cfg, norm_cfg=norm_cfg, act_cfg=act_cfg)
        super().__init__(
            in_channels[1:], out_channels, use_depthwise=use_depthwise, **options, **kwargs
        )
        conv = DepthwiseSeparableConvModule if use_depthwise else ConvModule
        finest = in_channels[0]
        self.growth = nn.Sequential(
            conv(finest, finest, 3, padding=1, **options), nn.Conv2d(finest, out_channels, 1)
        )
        self._begin_at_zero()

    def init_weights(self) -> None:
        super().init_weights()
        self._begin_at_zero()

    def _begin_at_zero(self) -> None:
        for parameter in self.growth[-1].parameters():
            nn.init.zeros_(parameter)

    def forward(self, inputs: Sequence[Tensor]) -> tuple[Tensor, ...]:
        """Pyramid of the backbone's levels.

        Args:
            inputs: ``(B, C_i, H_i, W_i)`` per level, finest first, each twice as fine as the next.

        Returns:
            ``(B, out_channels, H_i, W_i)`` per level, finest first.
        """
        levels = super().forward(inputs[1:])
        # Nearest whatever upsample_cfg says: a copy has to be exact
        copied = F.interpolate(levels[0], scale_factor=2, mode='nearest')
        return (copied + self.growth(inputs[0]), *levels)
