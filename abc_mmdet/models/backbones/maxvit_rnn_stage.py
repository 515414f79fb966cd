"""One stage of RVT's backbone: downsampling, attention, memory."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from abc_mmdet.errors import UserError
from abc_mmdet.models.backbones.conv_lstm import ConvLSTM
from abc_mmdet.models.backbones.maxvit_attention import MaxViTBlock

State = tuple[Tensor, Tensor]
"""Hidden state and cell of a stage, each ``(B, C, H, W)``."""


class MaxViTRNNStage(nn.Module):
    """Downsampling, MaxViT blocks, ConvLSTM.

    Args:
        dim_in, dim: channels before and after.
        factor: how much smaller the map becomes.
        num_blocks: number of MaxViT blocks.
        recurrent, lstm_dws_conv, lstm_forget_bias, with_cp: as in ``MaxViTRNN``.
        block_options: of :class:`MaxViTBlock`.
    """

    def __init__(
        self,
        dim_in: int,
        dim: int,
        factor: int,
        num_blocks: int,
        recurrent: bool,
        lstm_dws_conv: bool,
        lstm_forget_bias: float,
        with_cp: bool,
        **block_options: Any,
    ) -> None:
        super().__init__()
        self.with_cp = with_cp
        self.downsample_cf2cl = Downsample(dim_in, dim, factor)
        self.att_blocks = nn.ModuleList(
            MaxViTBlock(dim, normed_input=i == 0, **block_options) for i in range(num_blocks)
        )
        self.lstm = ConvLSTM(dim, lstm_dws_conv, lstm_forget_bias) if recurrent else None

    def forward(
        self,
        x: Tensor,
        state: State | None,
        batch_sizes: list[int],
        partition: tuple[int, int],
    ) -> tuple[Tensor, State | None]:
        """Features of all steps and state after them, for ``(sum(batch_sizes), dim_in, H, W)``."""
        x = self.downsample_cf2cl(x)
        for block in self.att_blocks:
            if self.with_cp and self.training:
                x = checkpoint(block, x, partition, use_reentrant=False)
            else:
                x = block(x, partition)
        x = x.permute(0, 3, 1, 2)
        if self.lstm is None:
            return x, None
        expected = (batch_sizes[0], *x.shape[1:])
        if state is not None and any(part.shape != expected for part in state):
            raise UserError(
                f'MaxViTRNN got a state of shape {tuple(state[0].shape)} where this input needs '
                f'{expected} (batch, channels, height, width): states go on only with the '
                'same recordings at the same input size. Begin a sequence with states=None.'
            )
        return self.lstm.unroll(x, state, batch_sizes)


class Downsample(nn.Module):
    """Overlapping strided convolution and LayerNorm: ``(B, C, H, W)`` to channels last."""

    def __init__(self, dim_in: int, dim: int, factor: int) -> None:
        super().__init__()
        kernel = 2 * factor - 1
        self.conv = nn.Conv2d(dim_in, dim, kernel, stride=factor, padding=kernel // 2, bias=False)
        self.norm = nn.LayerNorm(dim)

    def forward(self, x: Tensor) -> Tensor:
        return self.norm(self.conv(x).permute(0, 2, 3, 1))
