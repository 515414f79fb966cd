"""A convolutional LSTM whose gates see one pixel each."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class ConvLSTM(nn.Module):
    """LSTM with 1x1 convolutions (RVT, Gehrig and Scaramuzza, 2023; after Shi et al., 2015).

    Args:
        dim: channels of input, hidden state and cell.
        dws_conv: a depthwise 3x3 convolution on the hidden state before the gates.
    """

    def __init__(self, dim: int, dws_conv: bool = False) -> None:
        super().__init__()
        self.conv3x3_dws = (
            nn.Conv2d(dim, dim, 3, padding=1, groups=dim) if dws_conv else nn.Identity()
        )
        self.conv1x1 = nn.Conv2d(2 * dim, 4 * dim, 1)

    def forward(self, x: Tensor, state: tuple[Tensor, Tensor] | None) -> tuple[Tensor, Tensor]:
        """One step.

        Args:
            x: ``(B, dim, H, W)``.
            state: hidden state and cell of the step before, each of the shape of ``x``; None at
                the start of a sequence, which means zeros.

        Returns:
            Hidden state, which is the output, and cell.
        """
        # Zeros pass through the convolution too: every parameter takes part in every step.
        h, c = (torch.zeros_like(x), torch.zeros_like(x)) if state is None else state
        mix = self.conv1x1(torch.cat([x, self.conv3x3_dws(h.to(x.dtype))], dim=1))
        forget, enter, leave, new = mix.chunk(4, dim=1)
        c = forget.sigmoid() * c + enter.sigmoid() * new.tanh()
        return (leave.sigmoid() * c.tanh()).to(x.dtype), c
