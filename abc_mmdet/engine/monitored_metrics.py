"""Metrics of the validation that hooks and schedules follow: which is meant, that it is there.

MMEngine looks a metric up when the first validation is over: early stopping then goes on for ever
with a warning, and a schedule ends in a ``KeyError``.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from mmengine.hooks import EarlyStoppingHook
from mmengine.runner import Runner

from abc_mmdet.errors import UserError
from abc_mmdet.evaluation.reported_metrics import possible_names

AUTO = 'auto'

_MAIN = ('bbox_mAP', 'segm_mAP', 'mAP')
"""What ``auto`` means, the first that there is."""


def best_key(wanted: str, keys: Iterable[str]) -> str | None:
    """The key that is meant by a name, which may lack its prefix.

    ``auto`` is the mean average precision, whatever comes first in the validation; without any it
    is the first key, as in MMEngine.

    Args:
        wanted: a key (``coco/bbox_mAP``), one without its prefix (``bbox_mAP``), or ``auto``.
        keys: of the metrics that there are.

    Returns:
        The key; None if none is meant.

    Raises:
        UserError: several evaluators report a metric of this name.

    Examples:
        >>> best_key('bbox_mAP', ['coco/car_precision', 'coco/bbox_mAP'])
        'coco/bbox_mAP'
    """
    keys = list(dict.fromkeys(keys))
    if wanted == AUTO:
        found = [key for name in _MAIN for key in keys if key.rpartition('/')[2] == name]
        return next(iter(found or keys), None)
    if wanted in keys:
        return wanted
    found = [key for key in keys if key.endswith(f'/{wanted}')]
    if len(found) > 1:
        raise UserError(
            f'{wanted!r} (save_best or monitor) is the name of several metrics: give one of '
            f'{", ".join(found)}.'
        )
    return found[0] if found else None


def known_keys(runner: Runner) -> list[str] | None:
    """Keys that the validation can have; None if there is none, or they are not known."""
    if runner.val_loop is None:
        return None
    classes = getattr(runner.val_dataloader.dataset, 'metainfo', {}).get('classes') or ()
    return possible_names(runner.val_evaluator.metrics, classes)


def no_such_key(field: str, wanted: str, keys: Iterable[str]) -> UserError:
    """The error for a name, given in a field of the config, that no metric has."""
    return UserError(
        f'{field}={wanted!r}: the validation has no metric of this name. It has {", ".join(keys)}.'
    )


_HIGHER_IS_BETTER = ('mAP', 'AR', 'precision', 'recall')


def name_monitors(runner: Runner) -> None:
    """Let ``monitor`` of early stopping and of ``ReduceOnPlateauLR`` be a metric that there is.

    It may lack its prefix (``bbox_mAP`` for ``coco/bbox_mAP``). Call it when the schedules are
    built.

    Raises:
        UserError: as :func:`name_monitor`.
    """
    keys = known_keys(runner)
    if keys is None:
        return
    for hook in runner.hooks:
        if isinstance(hook, EarlyStoppingHook):
            name_monitor(hook, keys, 'EarlyStoppingHook')
    schedules = runner.param_schedulers or []
    for of_optimizer in schedules.values() if isinstance(schedules, dict) else [schedules]:
        for scheduler in of_optimizer:
            if getattr(scheduler, 'need_val_args', False):
                name_monitor(scheduler, keys, type(scheduler).__name__)


def name_monitor(owner: Any, keys: Sequence[str], kind: str) -> None:
    """Put the key of a metric in place of its name in ``owner.monitor``.

    Args:
        owner: has ``monitor`` and ``rule``, as MMEngine's early stopping and plateau schedules.
        keys: of the metrics that the validation can have.
        kind: of the owner, for messages.

    Raises:
        UserError: no metric has this name, or the highest one is the best and ``rule`` says
            ``less``.

    Examples:
        >>> hook = EarlyStoppingHook(monitor='bbox_mAP')
        >>> name_monitor(hook, ['coco/bbox_mAP'], 'EarlyStoppingHook')
        >>> hook.monitor
        'coco/bbox_mAP'
    """
    key = best_key(owner.monitor, keys)
    if key is None:
        raise no_such_key(f'{kind}.monitor', owner.monitor, keys)
    owner.monitor = key
    if owner.rule == 'less' and any(part in key for part in _HIGHER_IS_BETTER):
        raise UserError(
            f"{kind} follows {key} with rule='less', as if the lowest were the best. Give it "
            "rule='greater'."
        )
