"""PAFPN with levels for training only, and a gate on the finest one."""

from collections.abc import Sequence

import torch
from mmcv.cnn import ConvModule
from torch import Tensor, nn

from abc_mmdet.errors import UserError
from mmdet.models.layers import CSPLayer
from mmdet.models.necks import YOLOXPAFPN
from mmdet.registry import MODELS


class GatedCSPLayer(CSPLayer):
    """A top-down block of :class:`YOLOXPAFPN` that decides how much of its lateral to let in.

    The finest level of a backbone has seen little of the image: it answers to every edge and to
    sensor noise. The coarser level knows where an object may be. So each channel of the lateral is
    multiplied, place by place, by ``2 * sigmoid`` of a small convolution of both. The
    convolution's last layer starts at zero, the gate therefore at exactly 1: a new gate changes
    nothing, and weights trained without one can be loaded.

    The idea of denoising the finest level is DN-FPN's (Liu et al., 2024, "DNTR"), which trains it
    with a contrastive loss; here the detection losses alone train the gate.

    Args:
        in_channels: channels of the upsampled coarser level and the lateral together, half each.
        out_channels: channels of the result.
        **kwargs: as in :class:`CSPLayer`; ``conv_cfg``, ``norm_cfg`` and ``act_cfg`` are those of
            the gate as well.

    Examples:
        >>> layer = GatedCSPLayer(16, 8, num_blocks=1)
        >>> layer(torch.rand(1, 16, 5, 5)).shape
        torch.Size([1, 8, 5, 5])
    """

    def __init__(self, in_channels: int, out_channels: int, **kwargs: object) -> None:
        super().__init__(in_channels, out_channels, **kwargs)
        channels = in_channels // 2
        hidden = max(1, channels // 4)
        options = {k: v for k, v in kwargs.items() if k in ('conv_cfg', 'norm_cfg', 'act_cfg')}
        self.gate = nn.Sequential(
            ConvModule(in_channels, hidden, 1, **options),
            nn.Conv2d(hidden, channels, 3, padding=1),
        )
        self.open_gate()

    def open_gate(self) -> None:
        """Set the gate to 1 everywhere."""
        for parameter in self.gate[-1].parameters():
            nn.init.zeros_(parameter)

    def forward(self, x: Tensor) -> Tensor:
        """``(B, in_channels, H, W)``, upsampled level first, to ``(B, out_channels, H, W)``."""
        top, lateral = x.chunk(2, dim=1)
        return super().forward(torch.cat([top, 2 * self.gate(x).sigmoid() * lateral], dim=1))


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

    Examples:
        >>> neck = ABCPAFPN([8, 16, 32], out_channels=16, num_aux_levels=1).train()
        >>> levels = neck([torch.rand(2, 8 << i, 16 >> i, 16 >> i) for i in range(3)])
        >>> [tuple(level.shape) for level in levels]
        [(2, 16, 16, 16), (2, 16, 8, 8), (2, 16, 4, 4)]
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
