"""On which strides a model looks for objects."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from torch import nn

from abc_mmdet.models.dense_heads import ABCHead


def inference_strides(model: nn.Module) -> list[int]:
    """Strides of the levels objects are detected on, finest first; empty if it has none.

    Of a two-stage detector those of its proposals.
    """
    for head in _heads(model):
        strides = _strides(head.main_head if isinstance(head, ABCHead) else head)
        if strides:
            return strides
    return []


def train_only_strides(model: nn.Module) -> list[int]:
    """Strides of an auxiliary head that inference does not have."""
    heads = [head for head in _heads(model) if isinstance(head, ABCHead) and head.use_auxiliary]
    finer = (set(_strides(head.aux_head)) for head in heads)
    return sorted(set().union(*finer) - set(inference_strides(model)))


def _heads(model: nn.Module) -> Iterator[nn.Module]:
    for module in model.modules():
        for name in ('bbox_head', 'rpn_head'):
            head = getattr(module, name, None)
            if isinstance(head, nn.Module):
                yield head


def _strides(head: Any) -> list[int]:
    generator = getattr(head, 'prior_generator', None)
    strides = getattr(generator, 'strides', None) or []
    return sorted(int(s if isinstance(s, (int, float)) else s[0]) for s in strides)
