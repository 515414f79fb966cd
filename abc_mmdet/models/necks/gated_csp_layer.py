"""A gate before what the backbone says at the finest level."""

import torch
from mmcv.cnn import ConvModule
from torch import Tensor, nn

from mmdet.models.layers import CSPLayer


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
