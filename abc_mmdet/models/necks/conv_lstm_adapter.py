"""Memory for a detector of single images: a ConvLSTM beside each level of its pyramid."""

from __future__ import annotations

from collections.abc import Sequence

from mmengine.model import BaseModule
from torch import Tensor, nn

from abc_mmdet.errors import UserError
from abc_mmdet.models.backbones.conv_lstm import ConvLSTM
from abc_mmdet.models.recurrence import RecurrentModule, State
from mmdet.registry import MODELS


@MODELS.register_module()
class ConvLSTMAdapter(BaseModule, RecurrentModule):
    """Lets a pretrained detector of images see what was before (after EvRT-DETR, Torbunov et al.,
    2024, "Latent Space Adaptation of Image Detectors for Event-based Vision").

    To each level with memory is added ``output(ConvLSTM(input(level)))``, where ``output`` begins
    as zero: at first the detector finds what it found without the adapter, to the last bit, and
    its pretrained weights go on meaning what they meant. The hidden state passes through a
    depthwise 3x3 convolution, so that a memory can move with its object.

    :class:`StreamingDetector` runs it, after the neck or the backbone of any single-stage
    detector, and carries its states on. A pyramid with more levels than ``in_channels`` has
    (levels that exist in training only, as those of :class:`ABCPAFPN`) keeps the first, finest of
    them as they are.

    Args:
        in_channels: channels of each level, finest first.
        levels: those with memory, 0 for the finest; None: all.
        hidden_channels: of the memory of each level; None: half of the level's own.
        dws_conv: the depthwise convolution on the hidden state.
        forget_bias: added to the first bias of the forget gates, as in :class:`MaxViTRNN`.
        memory_steps: how long its channels remember at first, 2 to so many steps, as in
            :class:`ConvLSTM`.
        init_cfg: initialisation config.

    Raises:
        UserError: ``levels`` that ``in_channels`` does not have, ``hidden_channels`` below 1; in
            ``forward``, a pyramid of other levels or channels, or states of another size.

    Examples:
        >>> import torch
        >>> adapter = ConvLSTMAdapter(in_channels=[64, 64, 64], levels=[0, 1])
        >>> pyramid = tuple(torch.rand(1, 64, 48 // s, 80 // s) for s in (1, 2, 4))
        >>> features, states = adapter(pyramid)
        >>> all(torch.equal(ours, theirs) for ours, theirs in zip(features, pyramid))
        True
        >>> [tuple(cell.shape) for _, cell in states]
        [(1, 32, 48, 80), (1, 32, 24, 40)]
    """

    def __init__(
        self,
        in_channels: Sequence[int],
        levels: Sequence[int] | None = None,
        hidden_channels: int | None = None,
        dws_conv: bool = True,
        forget_bias: float = 1.0,
        memory_steps: float | None = None,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg=init_cfg)
        self.in_channels = list(in_channels)
        known = range(len(self.in_channels))
        self.levels = sorted(set(known if levels is None else levels))
        if not self.levels or not set(self.levels) <= set(known):
            raise UserError(
                f'ConvLSTMAdapter levels={levels}: choose from {list(known)}, the levels that '
                f'in_channels={self.in_channels} has, finest first.'
            )
        if hidden_channels is not None and hidden_channels < 1:
            raise UserError(f'ConvLSTMAdapter hidden_channels={hidden_channels}: 1 or more.')
        self.num_states = len(self.levels)
        self.inputs, self.lstms, self.outputs = nn.ModuleList(), nn.ModuleList(), nn.ModuleList()
        for level in self.levels:
            channels = self.in_channels[level]
            hidden = hidden_channels or max(channels // 2, 1)
            self.inputs.append(nn.Conv2d(channels, hidden, 1))
            self.lstms.append(ConvLSTM(hidden, dws_conv, forget_bias, memory_steps))
            self.outputs.append(nn.Conv2d(hidden, channels, 1))
        self._begin_without_effect()

    def init_weights(self) -> None:
        """As in ``BaseModule``; what is added stays zero, whatever an ``init_cfg`` asks for."""
        super().init_weights()
        self._begin_without_effect()

    def _begin_without_effect(self) -> None:
        for output in self.outputs:
            for parameter in output.parameters():
                nn.init.zeros_(parameter)

    def forward(
        self,
        x: Sequence[Tensor],
        states: Sequence[tuple[Tensor, Tensor] | None] | None = None,
        batch_sizes: Sequence[int] | None = None,
        elapsed: Tensor | None = None,
    ) -> tuple[tuple[Tensor, ...], State]:
        """The pyramid with what is remembered, and the states after it.

        Args:
            x: ``(N, C_l, H_l, W_l)`` per level; steps, states and times as in
                :class:`RecurrentModule`.
        """
        extra = len(x) - len(self.in_channels)
        channels = [level.shape[1] for level in x[max(extra, 0) :]]
        if channels != self.in_channels:
            raise UserError(
                f'ConvLSTMAdapter in_channels={self.in_channels}, but the pyramid has '
                f'{[level.shape[1] for level in x]} channels: give those of the part that it '
                'stands after (model.adapter_after).'
            )
        sizes = [x[0].shape[0]] if batch_sizes is None else list(batch_sizes)
        states = states or (None,) * self.num_states
        features, after = list(x), []
        layers = zip(self.levels, self.inputs, self.lstms, self.outputs, states, strict=True)
        for level, enter, lstm, output, state in layers:
            assert isinstance(lstm, ConvLSTM)
            hidden, state = lstm.unroll(enter(features[extra + level]), state, sizes, elapsed)
            features[extra + level] = features[extra + level] + output(hidden)
            after.append(state)
        return tuple(features), tuple(after)
