"""RVT's backbone: a MaxViT whose stages remember (Gehrig and Scaramuzza, CVPR 2023)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch.nn.functional as F
from mmengine.model import BaseModule
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from abc_mmdet.errors import UserError
from abc_mmdet.models.recurrence import RecurrentModule
from mmdet.registry import MODELS

from .conv_lstm import ConvLSTM
from .maxvit_attention import MaxViTBlock

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
        elapsed: Tensor | None = None,
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
        return self.lstm.unroll(x, state, batch_sizes, elapsed)


class Downsample(nn.Module):
    """Overlapping strided convolution and LayerNorm: ``(B, C, H, W)`` to channels last."""

    def __init__(self, dim_in: int, dim: int, factor: int) -> None:
        super().__init__()
        kernel = 2 * factor - 1
        self.conv = nn.Conv2d(dim_in, dim, kernel, stride=factor, padding=kernel // 2, bias=False)
        self.norm = nn.LayerNorm(dim)

    def forward(self, x: Tensor) -> Tensor:
        return self.norm(self.conv(x).permute(0, 2, 3, 1))


ARCHS = {
    'base': dict(embed_dim=64, dim_head=32),
    'small': dict(embed_dim=48, dim_head=24),
    'tiny': dict(embed_dim=32, dim_head=32),
}
COARSEST = 32
"""Stride of the last of four stages, pixels."""


@MODELS.register_module()
class MaxViTRNN(BaseModule, RecurrentModule):
    """Recurrent Vision Transformer (Gehrig and Scaramuzza, CVPR 2023).

    Four stages with strides 4, 8, 16, 32 and ``embed_dim * (1, 2, 4, 8)`` channels. A stage is an
    overlapping strided convolution, MaxViT blocks and a ConvLSTM, whose hidden state is both the
    stage's feature and the input of the next stage. Parameter names are those of RVT.

    Args:
        arch: 'base', 'small', 'tiny' or ``dict(embed_dim=..., dim_head=...)``.
        in_channels: channels of the input.
        out_indices: stages whose features are returned, 0 for stride 4. Stages after the last of
            them are not built.
        recurrent: ``False`` leaves the LSTMs out: features are those of the blocks.
        partition_size: rows and columns of tokens that attend to one another, in all stages; None
            takes the map of stride 32 divided by ``partition_split``, as RVT does.
        partition_split: the input is padded to multiples of 32 times this. RVT takes 2 for
            1 Megapixel and eTraM (384x640 gives partitions of 6x10) and 1 for Gen1.
        lstm_dws_conv: a depthwise 3x3 convolution on the hidden state.
        lstm_forget_bias: added to the first bias of the forget gates; RVT's is 0. With it a network
            that is trained for a short time remembers objects that stand still.
        layer_scale_init: first value of the learned scale of every residual branch.
        num_blocks: blocks of every stage, or one number per stage.
        mlp_ratio: hidden channels of the MLPs per channel.
        with_cp: compute the blocks a second time in the backward pass instead of keeping their
            activations.
        init_cfg: initialisation config.

    Raises:
        UserError: an ``arch`` that is unknown or whose ``dim_head`` does not divide the channels,
            ``out_indices`` or ``num_blocks`` that do not fit four stages.
    """

    def __init__(
        self,
        arch: str | dict[str, int] = 'base',
        in_channels: int = 20,
        out_indices: Sequence[int] = (0, 1, 2, 3),
        recurrent: bool = True,
        partition_size: tuple[int, int] | None = None,
        partition_split: int = 2,
        lstm_dws_conv: bool = False,
        lstm_forget_bias: float = 0.0,
        layer_scale_init: float = 1e-5,
        num_blocks: int | Sequence[int] = 1,
        mlp_ratio: int = 4,
        with_cp: bool = False,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg=init_cfg)
        embed_dim, dim_head = _sizes(arch)
        blocks = (num_blocks,) * 4 if isinstance(num_blocks, int) else tuple(num_blocks)
        if len(blocks) != 4 or min(blocks) < 1:
            raise UserError(
                f'MaxViTRNN num_blocks={num_blocks}: give a number from 1 on, or four of them.'
            )
        if not out_indices or not set(out_indices) <= {0, 1, 2, 3}:
            raise UserError(f'MaxViTRNN out_indices={tuple(out_indices)}: choose from 0, 1, 2, 3.')
        if partition_split < 1 or (partition_size is not None and min(partition_size) < 1):
            raise UserError(
                f'MaxViTRNN partition_size={partition_size}, partition_split={partition_split}: '
                'both count from 1.'
            )
        self.num_states = max(out_indices) + 1 if recurrent else 0
        self.in_channels = in_channels
        self.out_indices = tuple(out_indices)
        self.partition_size = partition_size
        self.partition_split = partition_split
        widths = [embed_dim * factor for factor in (1, 2, 4, 8)][: max(out_indices) + 1]
        self.stages = nn.ModuleList(
            MaxViTRNNStage(
                dim_in,
                dim,
                factor=4 if i == 0 else 2,
                num_blocks=blocks[i],
                recurrent=recurrent,
                lstm_dws_conv=lstm_dws_conv,
                lstm_forget_bias=lstm_forget_bias,
                with_cp=with_cp,
                dim_head=dim_head,
                mlp_ratio=mlp_ratio,
                layer_scale_init=layer_scale_init,
            )
            for i, (dim_in, dim) in enumerate(zip([in_channels, *widths[:-1]], widths, strict=True))
        )

    def forward(
        self,
        x: Tensor,
        states: Sequence[State | None] | None = None,
        batch_sizes: Sequence[int] | None = None,
        elapsed: Tensor | None = None,
    ) -> tuple[tuple[Tensor, ...], tuple[State | None, ...]]:
        """Features of one step of B streams or of several, and the states after them.

        A stage needs of the step before only its own state. So each stage goes through all steps
        before the next one begins, and all but the LSTM sees them as one batch.

        Args:
            x: ``(B, in_channels, H, W)`` of any size and type; padded with zeros at the bottom and
                the right to multiples of ``32 * partition_split``. With ``batch_sizes`` the steps
                one after the other, ``(sum(batch_sizes), in_channels, H, W)``.
            states: of the step before, one per stage; None at the start of a sequence. Without
                LSTMs they are not looked at.
            batch_sizes: streams that have a first step, a second one, and so on; longer ones come
                first, as in PyTorch's ``PackedSequence``.
            elapsed: of each step, ``(N,)``, how long it is as a multiple of the step that the
                network was trained for; None: all are as long as that.

        Returns:
            ``(N, C_i, H_i, W_i)`` per stage of ``out_indices``, of the padded size, in the order
            of ``x``, and the states of all stages after each stream's last step (None each
            without LSTMs).

        Raises:
            UserError: an input with other channels or whose size ``partition_size`` does not fit,
                ``batch_sizes`` that grow or are not those of ``x``, states of another batch or
                size.
        """
        if x.ndim != 4 or x.shape[1] != self.in_channels:
            raise UserError(
                f'MaxViTRNN got an input of shape {tuple(x.shape)} and needs (B, '
                f'{self.in_channels}, H, W): set backbone.in_channels to the channels of the data.'
            )
        # not len(x), which would fix the batch of an exported graph
        sizes = [x.shape[0]] if batch_sizes is None else list(batch_sizes)
        if sum(sizes) != x.shape[0] or sizes != sorted(sizes, reverse=True):
            raise UserError(
                f'MaxViTRNN got batch_sizes={sizes} for {len(x)} representations: one number per '
                'step, none larger than the one before, that add up to them.'
            )
        states = states or (None,) * len(self.stages)
        if len(states) != len(self.stages):
            raise UserError(
                f'MaxViTRNN got states of {len(states)} stages; it has {len(self.stages)}.'
            )
        x = self._pad(x.to(next(self.parameters()).dtype))
        partition = self._partition(x.shape[-2], x.shape[-1])
        features, after = [], []
        for i, stage in enumerate(self.stages):
            x, state = stage(x, states[i], sizes, partition, elapsed)
            features.append(x)
            after.append(state)
        return tuple(features[i] for i in self.out_indices), tuple(after)

    def _pad(self, x: Tensor) -> Tensor:
        multiple = COARSEST * self.partition_split
        return F.pad(x, (0, -x.shape[-1] % multiple, 0, -x.shape[-2] % multiple))

    def _partition(self, height: int, width: int) -> tuple[int, int]:
        """Partition size for a padded input, the same in all stages."""
        rows, columns = height // COARSEST, width // COARSEST
        if self.partition_size is None:
            return rows // self.partition_split, columns // self.partition_split
        ph, pw = self.partition_size
        if rows % ph or columns % pw:  # the maps of finer stages are multiples of the last one
            raise UserError(
                f'MaxViTRNN partition_size=({ph}, {pw}) does not divide the {rows}x{columns} map '
                f'of stride {COARSEST} (input {height}x{width} after padding). For this input use '
                f'rows from {_divisors(rows)} and columns from {_divisors(columns)}, or '
                f'partition_size=None; this partition needs heights in multiples of '
                f'{COARSEST * ph} and widths in multiples of {COARSEST * pw}.'
            )
        return ph, pw


def _sizes(arch: str | dict[str, int]) -> tuple[int, int]:
    """``embed_dim`` and ``dim_head`` of an ``arch``."""
    sizes = ARCHS.get(arch) if isinstance(arch, str) else arch
    if sizes is None or set(sizes) != {'embed_dim', 'dim_head'}:
        raise UserError(
            f'MaxViTRNN arch={arch!r}: use {", ".join(ARCHS)} or dict(embed_dim=..., dim_head=...).'
        )
    embed_dim, dim_head = sizes['embed_dim'], sizes['dim_head']
    if embed_dim % dim_head:
        raise UserError(
            f'MaxViTRNN embed_dim={embed_dim} is not divisible by dim_head={dim_head}: choose a '
            f'dim_head from {_divisors(embed_dim)}.'
        )
    return embed_dim, dim_head


def _divisors(number: int) -> list[int]:
    return [d for d in range(1, number + 1) if number % d == 0]
