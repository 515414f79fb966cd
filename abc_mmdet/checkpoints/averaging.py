"""One checkpoint from several trainings of the same network: the mean of their weights."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch

from abc_mmdet.errors import UserError

from .content import classes_of, read_checkpoint
from .plain import write_checkpoint


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

    Example:
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
