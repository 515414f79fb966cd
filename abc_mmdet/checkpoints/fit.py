"""Whether a checkpoint is that of a network: the one rule of all tools that load one."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from abc_mmdet.errors import UserError

from .content import classes_of, meta_of, weights_of
from .conversion import TRAINING_ONLY
from .names import has_megvii_names, plain_name
from .pretrained import Transfer

_COUNTER = 'num_batches_tracked'
"""Of a batch norm; PyTorch before 0.4.1 had none, and nothing is computed from it."""


@dataclass(frozen=True)
class Target:
    """What a checkpoint is to be loaded into.

    Args:
        model: the network.
        config: its name, for messages.
        classes: names of the classes in order; None if they are not known.
        resumed: training goes on, so the auxiliary task counts too.

    Examples:
        >>> target = Target(nn.Linear(2, 1), 'config.py', classes=('car',))
        >>> load_fitting(nn.Linear(2, 1).state_dict(), target, 'weights.pth')
    """

    model: nn.Module
    config: str
    classes: Sequence[str] | None = None
    resumed: bool = False


def load_fitting(checkpoint: Any, target: Target, file: str) -> None:
    """Load a checkpoint that :func:`fitting_state` takes.

    Raises:
        UserError: as :func:`fitting_state`.
    """
    target.model.load_state_dict(fitting_state(checkpoint, target, file), strict=False)


def fitting_state(checkpoint: Any, target: Target, file: str) -> OrderedDict[str, Tensor]:
    """The weights of a checkpoint under the names of a network whose weights they are.

    Every tensor of the network is in the file, in its shape and of real numbers, and every tensor
    of the file is in the network; where both name their classes, names and order are the same. A
    plain detector and the main task of an ABC detector are the same network; the auxiliary task
    counts only where training goes on.

    Args:
        checkpoint: what the file holds.
        target: where it is to be loaded.
        file: its path, for messages.

    Raises:
        UserError: a checkpoint of another network or other classes, with a table of what fits, or
            one without finite weights.
    """
    weights = weights_of(checkpoint, file)
    classes = classes_of(meta_of(checkpoint, file))
    own = target.model.state_dict()
    by_meaning = {plain_name(name): name for name in own}
    state: OrderedDict[str, Tensor] = OrderedDict(
        (by_meaning.get(plain_name(name), name), value) for name, value in weights.items()
    )

    def counts(name: str) -> bool:
        return target.resumed or not any(part in TRAINING_ONLY for part in name.split('.'))

    fits = {n for n in own if n in state and _is_alike(own[n], state[n])}
    missing = [n for n in own if n not in fits and (n in state or counts(n)) and not _counter(n)]
    surplus = [n for n in state if n not in own and counts(n)]
    other_classes = _class_problem(classes, target)
    if missing or surplus:
        is_known = target.resumed or other_classes or any(name in state for name in missing)
        older = None if is_known else _of_older_version(state, target.model)
        if older is not None:
            return older
    if missing or surplus or other_classes:
        result = Transfer(dict(own), sorted(fits), [n for n in own if n not in fits], surplus)
        lines = [_shapes(name, own[name], state.get(name)) for name in missing[:2]]
        lines += [f'  the file has {name}, the network has not' for name in surplus[:2]]
        raise UserError(
            f'{file} does not fit the config: {_counted(missing, surplus)}.\n'
            f'config: {target.config}\n'
            + '\n'.join([result.table('not there'), *lines, *other_classes])
            + f'\n{_advice(weights, target)}'
        )
    return OrderedDict((name, state[name]) for name in own if name in fits)


def _counted(missing: Sequence[str], surplus: Sequence[str]) -> str:
    parts = [f'{len(missing)} tensors are missing or of another shape'] if missing else []
    parts += [f'{len(surplus)} are of no use'] if surplus else []
    return ', '.join(parts) or 'it is of other classes'


def _class_problem(classes: Sequence[str] | None, target: Target) -> list[str]:
    """Lines that say how the classes differ; none where they are the same or not known."""
    if classes is None or target.classes is None or tuple(classes) == tuple(target.classes):
        return []
    same = sorted(classes) == sorted(target.classes)
    return [
        '  the same classes in another order:' if same else '  other classes:',
        f'  in the checkpoint: {list(classes)}',
        f'  in the config:     {list(target.classes)}',
    ]


def _of_older_version(
    state: OrderedDict[str, Tensor], model: nn.Module
) -> OrderedDict[str, Tensor] | None:
    """The weights if modules of the network know them by former names; loads them to see."""
    try:
        keys = model.load_state_dict(state, strict=False)
    except RuntimeError:  # of another shape
        return None
    names = (*keys.missing_keys, *keys.unexpected_keys)
    other = [n for n in names if not any(part in TRAINING_ONLY for part in n.split('.'))]
    return None if any(not _counter(name) for name in other) else state


def _is_alike(own: Tensor, theirs: Tensor) -> bool:
    """Of one shape; PyTorch would cut complex weights, and quantized ones mean something else."""
    return own.shape == theirs.shape and (theirs.is_floating_point() or not own.is_floating_point())


def _counter(name: str) -> bool:
    return name.endswith(_COUNTER)


def _shapes(name: str, own: Tensor, theirs: Tensor | None) -> str:
    found = 'has no such tensor' if theirs is None else f'has it as {tuple(theirs.shape)}'
    if theirs is not None and own.shape == theirs.shape:
        found += f' of {theirs.dtype}'
    return f'  the network has {name} {tuple(own.shape)}, the file {found}'


def _advice(weights: Mapping[str, Tensor], target: Target) -> str:
    if has_megvii_names(weights):
        return (
            "These are names of Megvii's YOLOX: load_from takes such a file to train from. For "
            'anything else give a checkpoint of MMDetection.'
        )
    if target.resumed:
        return (
            'A run goes on with the config it began with. To begin another one from these weights '
            'leave --resume out and give them as load_from.'
        )
    return 'Give the config it was trained with; it lies beside it, in the work_dir.'
