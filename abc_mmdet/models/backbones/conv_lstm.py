"""A convolutional LSTM whose gates see one pixel each."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from abc_mmdet.errors import UserError

_LEAST = -1e-6
"""Largest logarithm of a forget gate in steps of other lengths: it is divided by."""


class ConvLSTM(nn.Module):
    """LSTM with 1x1 convolutions (RVT, Gehrig and Scaramuzza, 2023; after Shi et al., 2015).

    Args:
        dim: channels of input, hidden state and cell.
        dws_conv: a depthwise 3x3 convolution on the hidden state before the gates.
        forget_bias: added to the first bias of the forget gates: the larger, the longer a network
            remembers before it has learned to (Jozefowicz et al., 2015).
        memory_steps: its channels remember for 2 up to so many steps at first, spread evenly by
            the logarithm: gates that keep ``1 - 1 / T`` of the cell and let ``1 / T`` of the
            input in ("chrono initialisation", Tallec and Ollivier, 2018). None: as it comes.

    Raises:
        UserError: ``memory_steps`` below 2.

    Examples:
        >>> lstm = ConvLSTM(4, memory_steps=16)
        >>> (1 / (1 - lstm.conv1x1.bias[:4].sigmoid())).round().tolist()  # steps
        [2.0, 4.0, 8.0, 16.0]
    """

    def __init__(
        self,
        dim: int,
        dws_conv: bool = False,
        forget_bias: float = 0.0,
        memory_steps: float | None = None,
    ) -> None:
        super().__init__()
        self.conv3x3_dws = (
            nn.Conv2d(dim, dim, 3, padding=1, groups=dim) if dws_conv else nn.Identity()
        )
        self.conv1x1 = nn.Conv2d(2 * dim, 4 * dim, 1)
        assert self.conv1x1.bias is not None
        with torch.no_grad():
            self.conv1x1.bias[:dim] += forget_bias
            if memory_steps is not None:
                if not memory_steps >= 2:
                    raise UserError(f'memory_steps={memory_steps}: 2 or more, or None.')
                times = torch.logspace(1, math.log2(memory_steps), dim, base=2)
                self.conv1x1.bias[:dim] = torch.log(times - 1)
                self.conv1x1.bias[dim : 2 * dim] = -torch.log(times - 1)

    def forward(
        self, x: Tensor, state: tuple[Tensor, Tensor] | None, elapsed: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """One step.

        Args:
            x: ``(B, dim, H, W)``.
            state: hidden state and cell of the step before, each of the shape of ``x``; None at
                the start of a sequence, which means zeros.
            elapsed: ``(B,)``, see :func:`gates_after`.

        Returns:
            Hidden state, which is the output, and cell.
        """
        # Zeros pass through the convolution too: every parameter takes part in every step.
        h, c = (torch.zeros_like(x), torch.zeros_like(x)) if state is None else state
        mix = self.conv1x1(torch.cat([x, self.conv3x3_dws(h.to(x.dtype))], dim=1))
        forget, enter, leave, new = mix.chunk(4, dim=1)
        if elapsed is None:
            c = forget.sigmoid() * c + enter.sigmoid() * new.tanh()
        else:
            kept, gain = gates_after(forget, elapsed)
            c = kept * c + gain * (enter.sigmoid() * new.tanh())
        return (leave.sigmoid() * c.tanh()).to(x.dtype), c

    def unroll(
        self,
        x: Tensor,
        state: tuple[Tensor, Tensor] | None,
        batch_sizes: Sequence[int],
        elapsed: Tensor | None = None,
    ) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """Several steps of several sequences.

        Args:
            x: ``(sum(batch_sizes), dim, H, W)``, the steps one after the other.
            state: before the first step, ``(batch_sizes[0], dim, H, W)`` each; None means zeros.
            batch_sizes: sequences that have a first step, a second one, ...; longer ones come
                first, so that the others are at the end of a step when they end.
            elapsed: ``(sum(batch_sizes),)``, as in :meth:`forward`.

        Returns:
            Hidden states in the order of ``x``, and hidden state and cell of each sequence after
            its last step.

        Raises:
            UserError: a state of another batch or size.
        """
        expected = (batch_sizes[0], *x.shape[1:])
        if state is not None and any(part.shape != expected for part in state):
            raise UserError(
                f'A ConvLSTM got a state of shape {tuple(state[0].shape)} where this input needs '
                f'{expected} (batch, channels, height, width): states go on only with the '
                'same recordings at the same input size. Begin a sequence with states=None.'
            )
        outputs, ended = [], []
        sizes = list(batch_sizes)
        times = [None] * len(sizes) if elapsed is None else elapsed.split(sizes)
        for rows, time in zip(x.split(sizes), times, strict=True):
            running = rows.shape[0]
            if state is not None and running < state[0].shape[0]:
                ended.append((state[0][running:], state[1][running:]))
                state = state[0][:running], state[1][:running]
            state = self(rows, state, time)
            outputs.append(state[0])
        last = [state, *reversed(ended)]
        hidden, cells = (torch.cat(parts) for parts in zip(*last, strict=True))
        return torch.cat(outputs), (hidden, cells)


def gates_after(forget: Tensor, elapsed: Tensor) -> tuple[Tensor, Tensor]:
    """What steps of other lengths make of a forget gate.

    Where gates and input stay the same, n steps of length 1 multiply the cell by ``f ** n`` and
    add ``1 + f + ... + f ** (n - 1) = (1 - f ** n) / (1 - f)`` times what enters. The same
    formulas at a length that is no whole number make the cell after a time independent of the
    number of steps in it: what discretisation does in state-space models (Zubic et al., 2024,
    "State Space Models for Event Cameras"). They need no parameters of their own.

    Args:
        forget: of the gates, before the sigmoid, ``(B, C, H, W)``.
        elapsed: ``(B,)``, lengths of the steps as multiples of the one that the network was
            trained for.

    Returns:
        Factors of the cell and of what enters, ``(B, C, H, W)``; at length 1 the gate and 1.
    """
    # float32, as the small difference between a gate and 1 is what counts
    log = F.logsigmoid(forget.float()).clamp(max=_LEAST)
    times = elapsed.to(log).view(-1, 1, 1, 1)
    return (log * times).exp(), torch.expm1(log * times) / torch.expm1(log)
