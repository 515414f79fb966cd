"""Hooks and schedules that follow a figure of the validation: that it is there, and its direction.

MMEngine looks a figure up when the first validation is over: early stopping then goes on for ever
with a warning, and a schedule ends in a ``KeyError``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mmengine.hooks import EarlyStoppingHook
from mmengine.runner import Runner

from abc_mmdet.errors import UserError

from .best_key import best_key, known_keys, no_such_key

_HIGHER_IS_BETTER = ('mAP', 'AR', 'precision', 'recall')


def name_monitors(runner: Runner) -> None:
    """Let ``monitor`` of early stopping and of ``ReduceOnPlateauLR`` be a figure that there is.

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
    """Put the key of a figure in place of its name in ``owner.monitor``.

    Args:
        owner: has ``monitor`` and ``rule``, as MMEngine's early stopping and plateau schedules.
        keys: of the figures that the validation can have.
        kind: of the owner, for messages.

    Raises:
        UserError: no figure has this name, or the highest one is the best and ``rule`` says
            ``less``.

    Example:
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
