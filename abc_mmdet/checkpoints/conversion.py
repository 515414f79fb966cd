"""Checkpoints made from others: of the plain detector inside ABC, of the mean of several."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import nn

from abc_mmdet.errors import UserError

from .content import classes_of, read_checkpoint, write_checkpoint

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


def write_average(checkpoints: Sequence[str | Path], out: str | Path) -> int:
    """Write the mean of the weights of several trainings that began from the same ones.

    Trainings that start from the same pretrained weights, with other seeds or options, end close
    enough to each other for the mean of their weights to be a good network, often a better one than
    each of them, at the cost of one at inference (Wortsman et al., 2022, "Model soups"). Trainings
    from scratch do not: their mean detects nothing.

    Running statistics of batch norms are averaged like weights; whole numbers, as a counter of
    batches, are those of the first.

    Args:
        checkpoints: two files or more, of one config.
        out: the file to write.

    Returns:
        How many tensors were averaged.

    Raises:
        UserError: fewer than two files, one that cannot be read, or weights of different networks
            or classes.

    Examples:
        >>> files = ['seed0/iter_400.pth', 'seed1/iter_400.pth']
        >>> write_average(files, 'mean.pth')  # doctest: +SKIP
    """
    if len(checkpoints) < 2:
        raise UserError('Give two checkpoints or more: the mean of one is itself.')
    loaded = [read_checkpoint(str(path)) for path in checkpoints]
    states = [checkpoint['state_dict'] for checkpoint in loaded]
    first = states[0]
    for path, state in zip(checkpoints[1:], states[1:], strict=True):
        differing = [
            name
            for name in {**first, **state}
            if name not in first or name not in state or first[name].shape != state[name].shape
        ]
        if differing:
            raise UserError(
                f'{path} is of another network than {checkpoints[0]}: {len(differing)} tensors are '
                f'in one of them only or of another shape, such as {differing[0]}.'
            )
    named = {str(p): classes_of(c['meta']) for p, c in zip(checkpoints, loaded, strict=True)}
    lists = {path: names for path, names in named.items() if names is not None}
    if len(set(lists.values())) > 1:
        raise UserError(
            'These are trainings with other classes, or with them in another order:\n'
            + '\n'.join(f'  {path}: {list(names)}' for path, names in lists.items())
        )
    names = [name for name, value in first.items() if value.dtype.is_floating_point]
    mean = dict(first)
    for name in names:
        total = torch.stack([state[name].double() for state in states]).mean(0)
        mean[name] = total.to(first[name].dtype)
    write_checkpoint(mean, loaded[0]['meta'], str(out))
    return len(names)
