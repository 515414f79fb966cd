"""Parts of a network that remember: what a detector that streams asks of them, and its memory."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from abc_mmdet.errors import UserError
from mmdet.structures import TrackDataSample

State = tuple[tuple[Tensor, Tensor] | None, ...]
"""Hidden state and cell ``(B, C, H, W)`` of everything that remembers, in order; or None."""


class RecurrentModule:
    """A backbone, neck or adapter with memory, for :class:`StreamingDetector`.

    The detector keeps the states between clips and hands them on; the module has none of its own.
    Anything between image and head may be one: :class:`MaxViTRNN`, :class:`ConvLSTMAdapter`.

    Attributes:
        num_states: pairs of hidden state and cell that it carries on; 0 if it does not remember.

    Examples:
        >>> from torch import nn
        >>> class Sum(nn.Module, RecurrentModule):  # of all steps so far
        ...     num_states = 1
        ...     def forward(self, x, states=None, batch_sizes=None, elapsed=None):
        ...         total = x if not states else x + states[0][1]
        ...         return (total,), ((total, total),)
        >>> issubclass(Sum, RecurrentModule)
        True
    """

    num_states: int

    def forward(
        self,
        x: Any,
        states: Sequence[tuple[Tensor, Tensor] | None] | None = None,
        batch_sizes: Sequence[int] | None = None,
        elapsed: Tensor | None = None,
    ) -> tuple[tuple[Tensor, ...], State]:
        """One step of B streams or several.

        Args:
            x: what the part before it gives, for all steps one after the other.
            states: after the step before, ``num_states`` pairs; None at the start of a sequence,
                which means zeros.
            batch_sizes: streams that have a first step, a second one, and so on; longer ones come
                first, as in PyTorch's ``PackedSequence``. None: a single step.
            elapsed: of each step, ``(sum(batch_sizes),)``, how long it is as a multiple of the step
                that the module was trained for; None: all are as long as that.

        Returns:
            Features per level, in the order of ``x``, and ``num_states`` pairs after each stream's
            last step.
        """
        raise NotImplementedError


class StreamMemory:
    """Keeps the state after each streamed clip for the clip that goes on there.

    States belong to a place in a recording, not to a place in the batch: any order and number of
    lanes gives the same result. Only what the last batch left is kept, as every stream goes on in
    the next one.

    Attributes:
        states: by recording, seed and step of that place.

    Examples:
        >>> memory = StreamMemory()
        >>> memory.states
        {}
    """

    def __init__(self) -> None:
        self.states: dict[tuple, State | None] = {}

    def recall(self, clips: Sequence[TrackDataSample], must_know: bool) -> list[State | None]:
        """The state in which each clip begins; None at the start of a recording.

        Args:
            clips: meta information ``recording``, ``seed``, ``start`` and ``streamed``.
            must_know: refuse a streamed clip whose predecessor was not in the last batch. Training
                begins it without memory: so does a run that goes on from weights alone.

        Raises:
            UserError: such a clip.
        """
        states = []
        for clip in clips:
            state = None
            if clip.streamed and clip.start > 0:
                place = (clip.recording, clip.seed, clip.start)
                state = self.states.get(place)
                if must_know and place not in self.states:
                    raise UserError(
                        f'Recording {clip.recording} came at step {clip.start} without the steps '
                        "before it. Stream it: batch_sampler=dict(type='StreamBatchSampler') "
                        "and sampler=dict(type='RecordingSampler', shuffle=False, "
                        'infinite=False) in the data loader.'
                    )
            states.append(state)
        return states

    def keep(self, clips: Sequence[TrackDataSample], states: Sequence[State | None]) -> None:
        """Replace the memory by the states after these clips, cut from their gradients."""
        self.states = {
            (clip.recording, clip.seed, clip.stop): state and detach(state)
            for clip, state in zip(clips, states, strict=True)
            if clip.streamed
        }


def detach(state: State) -> State:
    """The state without its history."""
    return tuple(pair and (pair[0].detach(), pair[1].detach()) for pair in state)


def join(states: Sequence[State | None]) -> State | None:
    """States of several clips as one of the batch; zeros for those that have none yet."""
    known = next((state for state in states if state is not None), None)
    if known is None:
        return None
    joined: list[tuple[Tensor, Tensor] | None] = []
    for stage, pair in enumerate(known):
        if pair is None:
            joined.append(None)
            continue
        none = torch.zeros_like(pair[0]), torch.zeros_like(pair[1])
        of_all = [(state[stage] or none) if state is not None else none for state in states]
        joined.append((torch.cat([h for h, _ in of_all]), torch.cat([c for _, c in of_all])))
    return tuple(joined)


def select(state: State, rows: list[int]) -> State:
    """The state of some clips of a batch."""
    return tuple(pair and (pair[0][rows], pair[1][rows]) for pair in state)
