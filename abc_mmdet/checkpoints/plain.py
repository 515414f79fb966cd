"""Checkpoints of ABC models against those of the plain detector inside them."""

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import nn

from abc_mmdet.utils.atomic_write import atomic_write

from .content import read_checkpoint

Value = TypeVar('Value')

# Modules that exist for the auxiliary task only, as path components of parameter names.
TRAINING_ONLY = ('aux_head', 'aux_branches', 'multi_task_loss')
MAIN_HEAD = 'main_head'


def to_plain(state_dict: Mapping[str, Value]) -> dict[str, Value]:
    """Names and weights of the plain detector: main head unwrapped, auxiliary parts left out.

    ``bbox_head.main_head.x`` becomes ``bbox_head.x``. A plain ``state_dict`` comes out unchanged,
    so the result loads into plain MMDetection either way.
    """
    plain = {}
    for name, value in state_dict.items():
        path = name.split('.')
        if not any(part in TRAINING_ONLY for part in path):
            plain['.'.join(part for part in path if part != MAIN_HEAD)] = value
    return plain


def adopt_plain_head(head: nn.Module, state_dict: dict[str, Any], prefix: str) -> None:
    """Take the parameters of a plain head for those of the main head.

    Args:
        head: the ``ABCHead`` that is about to be loaded.
        state_dict: the state to load from; renamed in place, as PyTorch's load hooks do.
        prefix: name of the head in it, with a final dot.
    """
    own = {name for name, _ in head.named_children()}
    for name in [n for n in state_dict if n.startswith(prefix)]:
        if name.removeprefix(prefix).split('.')[0] not in {*own, *TRAINING_ONLY}:
            state_dict[f'{prefix}{MAIN_HEAD}.{name.removeprefix(prefix)}'] = state_dict.pop(name)


def write_plain_checkpoint(checkpoint: str, out: str) -> tuple[int, int]:
    """Write the weights of an ABC checkpoint as a plain one, for inference and fine-tuning.

    Optimizer, schedule and averaged weights stay behind: they belong to the ABC training run.
    (MMEngine stores averaged weights as the checkpoint's ``state_dict``, so it is they that are
    written where a run averages.)

    Returns:
        Numbers of tensors kept and left out.

    Raises:
        UserError: ``checkpoint`` holds no finite weights.
    """
    loaded = read_checkpoint(checkpoint)
    plain = to_plain(loaded['state_dict'])
    write_checkpoint(plain, loaded['meta'], out)
    return len(plain), len(loaded['state_dict']) - len(plain)


def write_checkpoint(state_dict: Mapping[str, Any], meta: Mapping[str, Any], out: str) -> None:
    """Write weights, and of a run's meta information what other runs can use.

    Raises:
        UserError: a place that cannot be written to.
    """
    kept = {key: meta.get(key) for key in ('dataset_meta', 'iter', 'epoch') if key in meta}
    content = io.BytesIO()
    torch.save(dict(meta=kept, state_dict=dict(state_dict)), content)
    atomic_write(Path(out), content.getvalue())
