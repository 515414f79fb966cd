"""YOLOX's PAFPN, with finest levels that only the auxiliary task sees."""

from collections.abc import Sequence

import torch
from mmcv.cnn import ConvModule
from torch import Tensor, nn

from abc_mmdet.errors import UserError
from mmdet.models.layers import CSPLayer
from mmdet.models.necks import YOLOXPAFPN
from mmdet.registry import MODELS

from .gated_csp_layer import GatedCSPLayer


@MODELS.register_module()
class ABCPAFPN(YOLOXPAFPN):
    """Path-aggregation pyramid whose ``num_aux_levels`` finest levels exist in training only.

    With ``num_aux_levels=0`` it is :class:`YOLOXPAFPN` on all inputs. With ``num_aux_levels=1``
    the pyramid spans all inputs but the finest, with the parameter names of the smaller
    :class:`YOLOXPAFPN`, and the finest level hangs on it as a side branch: the pyramid does not
    depend on it, so that in evaluation it is neither computed nor needed.

    Args:
        in_channels: channels of the backbone's levels, finest first, the auxiliary ones included.
        out_channels: channels of every output.
        num_aux_levels: how many of the finest levels are for the auxiliary task only.
        gate_finest: denoise the finest level: its lateral passes the gate of
            :class:`GatedCSPLayer`. Like the level, the gate of an auxiliary one is for training
            only.
        num_csp_blocks: bottlenecks of each CSP layer.
        use_depthwise: depthwise separable convolutions.
        conv_cfg, norm_cfg, act_cfg: as in :class:`YOLOXPAFPN`.
        **kwargs: as in :class:`YOLOXPAFPN`: ``upsample_cfg``, ``init_cfg``.

    Raises:
        UserError: ``num_aux_levels`` is negative or leaves fewer than two levels.
    """

    def __init__(
        self,
        in_channels: Sequence[int],
        out_channels: int,
        num_aux_levels: int = 0,
        gate_finest: bool = False,
        num_csp_blocks: int = 3,
        use_depthwise: bool = False,
        conv_cfg: dict | None = None,
        norm_cfg: dict = dict(type='BN', momentum=0.03, eps=0.001),  # noqa: B006
        act_cfg: dict = dict(type='Swish'),  # noqa: B006
        **kwargs: object,
    ) -> None:
        if len(in_channels) < 2:
            raise UserError(f'ABCPAFPN in_channels={in_channels!r}: give at least two levels.')
        if not 0 <= num_aux_levels <= len(in_channels) - 2:
            raise UserError(
                f'ABCPAFPN num_aux_levels={num_aux_levels} does not fit {len(in_channels)} '
                f'in_channels: use 0 to {len(in_channels) - 2}.'
            )
        conv_options = dict(conv_cfg=conv_cfg, norm_cfg=norm_cfg, act_cfg=act_cfg)
        super().__init__(
            in_channels[num_aux_levels:],
            out_channels,
            num_csp_blocks=num_csp_blocks,
            use_depthwise=use_depthwise,
            **conv_options,
            **kwargs,
        )
        self.num_aux_levels = num_aux_levels
        csp_options = dict(
            num_blocks=num_csp_blocks,
            add_identity=False,
            use_depthwise=use_depthwise,
            **conv_options,
        )
        self.aux_branches = nn.ModuleList(
            _FinerLevel(channels, out_channels, gate_finest and i == 0, csp_options, conv_options)
            for i, channels in enumerate(in_channels[:num_aux_levels])
        )
        if gate_finest and num_aux_levels == 0:
            self.top_down_blocks[-1] = GatedCSPLayer(
                in_channels[0] * 2, in_channels[0], **csp_options
            )

    def init_weights(self) -> None:
        super().init_weights()
        for module in self.modules():
            if isinstance(module, GatedCSPLayer):
                module.open_gate()

    def forward(self, inputs: Sequence[Tensor]) -> tuple[Tensor, ...]:
        """Pyramid of the backbone's levels.

        Args:
            inputs: ``(B, C_i, H_i, W_i)`` per level, finest first, each twice as fine as the next.

        Returns:
            ``(B, out_channels, H_i, W_i)`` per level, finest first; in evaluation without the
            auxiliary levels.
        """
        levels = super().forward(inputs[self.num_aux_levels :])
        if not self.training:
            return levels
        for branch, finer in zip(
            reversed(self.aux_branches), reversed(inputs[: self.num_aux_levels]), strict=True
        ):
            levels = (branch(self.upsample, levels[0], finer), *levels)
        return levels


class _FinerLevel(nn.Module):
    """One level below a pyramid: a top-down step as the pyramid's own ones."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        is_gated: bool,
        csp_options: dict,
        conv_options: dict,
    ) -> None:
        super().__init__()
        self.reduce = ConvModule(out_channels, in_channels, 1, **conv_options)
        csp_layer = GatedCSPLayer if is_gated else CSPLayer
        self.top_down = csp_layer(in_channels * 2, in_channels, **csp_options)
        self.out = ConvModule(in_channels, out_channels, 1, **conv_options)

    def forward(self, upsample: nn.Module, coarse: Tensor, finer: Tensor) -> Tensor:
        top = upsample(self.reduce(coarse))
        return self.out(self.top_down(torch.cat([top, finer], dim=1)))
