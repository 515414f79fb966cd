"""What a detector that streams asks of those of its parts that remember."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor

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
