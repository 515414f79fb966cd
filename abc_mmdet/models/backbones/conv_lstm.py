"""A convolutional LSTM whose gates see one pixel each."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn


class ConvLSTM(nn.Module):
    """LSTM with 1x1 convolutions (RVT, Gehrig and Scaramuzza, 2023; after Shi et al., 2015).

    Args:
        dim: channels of input, hidden state and cell.
        dws_conv: a depthwise 3x3 convolution on the hidden state before the gates.
        forget_bias: added to the first bias of the forget gates: the larger, the longer a network
            remembers before it has learned to (Jozefowicz et al., 2015).
    """

    def __init__(self, dim: int, dws_conv: bool = False, forget_bias: float = 0.0) -> None:
        super().__init__()
        self.conv3x3_dws = (
            nn.Conv2d(dim, dim, 3, padding=1, groups=dim) if dws_conv else nn.Identity()
        )
        self.conv1x1 = nn.Conv2d(2 * dim, 4 * dim, 1)
        assert self.conv1x1.bias is not None
        with torch.no_grad():
            self.conv1x1.bias[:dim] += forget_bias

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

    def unroll(
        self, x: Tensor, state: tuple[Tensor, Tensor] | None, batch_sizes: Sequence[int]
    ) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """Several steps of several sequences.

        Args:
            x: ``(sum(batch_sizes), dim, H, W)``, the steps one after the other.
            state: before the first step, ``(batch_sizes[0], dim, H, W)`` each; None means zeros.
            batch_sizes: sequences that have a first step, a second one, ...; longer ones come
                first, so that the others are at the end of a step when they end.

        Returns:
            Hidden states in the order of ``x``, and hidden state and cell of each sequence after
            its last step.
        """
        outputs, ended = [], []
        for rows in x.split(list(batch_sizes)):
            running = rows.shape[0]
            if state is not None and running < state[0].shape[0]:
                ended.append((state[0][running:], state[1][running:]))
                state = state[0][:running], state[1][:running]
            state = self(rows, state)
            outputs.append(state[0])
        last = [state, *reversed(ended)]
        hidden, cells = (torch.cat(parts) for parts in zip(*last, strict=True))
        return torch.cat(outputs), (hidden, cells)
