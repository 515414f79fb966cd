"""Event representations as images of 0 to 255, for networks that were trained on photographs."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from abc_mmdet.errors import UserError
from mmdet.registry import MODELS


class _EventImage(nn.Module):
    """An image from counts.

    Args:
        full: events of one polarity on a pixel that give the full brightness.

    Raises:
        UserError: ``full`` is not above 0; counts whose channels are no two polarities.
    """

    background = 0.0
    """Value of a pixel without events."""

    def __init__(self, full: float = 5.0) -> None:
        super().__init__()
        if not full > 0:
            raise UserError(f'{type(self).__name__} full={full}: a number of events above 0.')
        self.full = full

    def polarities(self, counts: Tensor) -> Tensor:
        """``(..., 2 * bins, H, W)`` as ``(..., 2, bins, H, W)``, negative polarity first."""
        channels = counts.shape[-3]
        if channels % 2:
            raise UserError(
                f'{type(self).__name__} makes images of stacked histograms, whose channels are '
                f'those of two polarities; this representation has {channels}.'
            )
        return counts.unflatten(-3, (2, channels // 2))


@MODELS.register_module()
class PolaritySurface(_EventImage):
    """Three channels: counts of positive events, of negative ones, and when the last one came.

    The third is a time surface: the end of the last time bin in which the pixel had an event, of
    either polarity, as a share of the window; 255 for the last bin, 0 without events. So a moving
    edge has a direction, which counts alone do not show.

    Args:
        full: events of one polarity on a pixel that give 255.

    Examples:
        >>> counts = torch.zeros(1, 20, 1, 2)
        >>> counts[0, 10 + 4, 0, 0] = 2  # positive, in the fifth of ten bins
        >>> PolaritySurface(full=4)(counts)[0, :, 0, 0].tolist()
        [127.5, 0.0, 127.5]
    """

    def forward(self, counts: Tensor) -> Tensor:
        """float32 ``(..., 3, H, W)`` of ``(..., 2 * bins, H, W)`` counts."""
        counts = self.polarities(counts)
        negative, positive = counts.sum(dim=-3, dtype=torch.float32).unbind(-3)
        bins = counts.shape[-3]
        ends = torch.arange(1, bins + 1, device=counts.device, dtype=torch.float32) / bins
        there = (counts > 0).any(dim=-4)
        surface = (there * ends[:, None, None]).amax(dim=-3)
        shares = [(positive / self.full).clamp(max=1), (negative / self.full).clamp(max=1), surface]
        return 255 * torch.stack(shares, dim=-3)


@MODELS.register_module()
class EventFrame(_EventImage):
    """A grey image: what became brighter above the background, what became darker below it.

    Args:
        full: by how many one polarity outnumbers the other on a pixel to give white or black.
        channels: equal ones; 3 for networks for photographs, 1 for :class:`GrayCSPDarknet`.
        background: of pixels without events; 114 is what YOLOX pads images with.

    Examples:
        >>> counts = torch.zeros(1, 20, 1, 2)
        >>> counts[0, 3, 0, 0] = 9  # negative
        >>> EventFrame()(counts)[0, 0].tolist()
        [[0.0, 114.0]]
    """

    def __init__(self, full: float = 5.0, channels: int = 3, background: float = 114.0) -> None:
        super().__init__(full)
        if channels not in (1, 3) or not 0 <= background <= 255:
            raise UserError(
                f'EventFrame channels={channels}, background={background}: 1 or 3 channels, and '
                'a grey value from 0 to 255.'
            )
        self.channels = channels
        self.background = background

    def forward(self, counts: Tensor) -> Tensor:
        """float32 ``(..., channels, H, W)`` of ``(..., 2 * bins, H, W)`` counts."""
        negative, positive = self.polarities(counts).sum(dim=-3, dtype=torch.float32).unbind(-3)
        share = ((positive - negative) / self.full).clamp(-1, 1)
        room = torch.where(share > 0, 255 - self.background, self.background)
        image = (self.background + share * room).unsqueeze(-3)
        return image.repeat_interleave(self.channels, dim=-3)
