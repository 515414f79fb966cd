"""What a resumed run takes from its config, and what from its checkpoint: rates and schedules."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
from mmengine.hooks import Hook
from mmengine.optim import OptimWrapperDict, _ParamScheduler
from mmengine.runner import Runner

from abc_mmdet.errors import UserError
from mmdet.registry import HOOKS

_MOVING = ('last_step', '_last_value', '_global_step', 'base_values', 'verbose')
_SET_BY_SCHEDULES = ('initial_', 'max_', 'min_')
_TELLING = {'alpha', 'betas', 'etas', 'lambd', 'lr_decay', 'momentum', 'rho'}
"""Settings that tell types of optimizers apart; others come and go with versions of PyTorch."""


@HOOKS.register_module()
class ResumedScheduleHook(Hook):
    """Lets a resumed run follow the schedule of its config, and names what it does not follow.

    MMEngine takes schedules from the checkpoint, settings included: with a longer training the
    learning rate stays what it was at the old end. Here a schedule that differs from that of the
    checkpoint is followed as if it had been that of the run from the beginning. The optimizer's
    own settings (learning rate, weight decay, ...) are those of the checkpoint, as in MMEngine; a
    warning names those that are others in the config.

    ``tools/train.py`` gives it to every run
    (:func:`abc_mmdet.apis.standard_config.prepare_run`).

    Raises:
        UserError: an optimizer with other groups of parameters, or of another type.

    Examples:
        >>> config = dict(default_hooks=dict(resumed_schedule=dict(type='ResumedScheduleHook')))
    """

    priority = 'VERY_HIGH'

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict[str, Any]) -> None:
        several = isinstance(runner.optim_wrapper, OptimWrapperDict)
        if not runner._resume or several or 'optimizer' not in checkpoint:
            return
        groups = checkpoint['optimizer']['param_groups']
        file = str(runner._load_from or 'the newest checkpoint')
        _check_groups(groups, runner.optim_wrapper.optimizer.param_groups, file)
        kept = list(_kept_settings(groups, runner.optim_wrapper.optimizer.param_groups))
        if kept:
            runner.logger.warning(
                'A resumed run goes on with the settings of its optimizer; not heeded of the '
                f'config: {"; ".join(kept)}. To train with them begin a new run, with '
                f'load_from={file} and without --resume.'
            )
        self._follow_schedule(runner, checkpoint, groups)

    def _follow_schedule(self, runner: Runner, checkpoint: dict, groups: list[dict]) -> None:
        theirs, ours = checkpoint.get('param_schedulers'), runner.param_schedulers
        if not isinstance(theirs, list) or not isinstance(ours, list):
            return
        changes = list(_changes(theirs, [s.state_dict() for s in ours]))
        if not changes:
            return
        changed = '; '.join(changes)
        if any(getattr(scheduler, 'need_val_args', False) for scheduler in ours):
            runner.logger.warning(f'Not heeded of the config, as it follows metrics: {changed}')
            return
        before = groups[0]['lr']
        schedulers = replayed(runner, groups, checkpoint['meta']['iter'])
        checkpoint['param_schedulers'] = [scheduler.state_dict() for scheduler in schedulers]
        runner.logger.info(
            f'The schedule is not that of the checkpoint: {changed}.\nIt is followed as if it had '
            f'been from the beginning: the learning rate goes on with {groups[0]["lr"]:.3g} '
            f'(it was {before:.3g}).'
        )


def replayed(runner: Runner, groups: list[dict], iterations: int) -> list[_ParamScheduler]:
    """The schedules of a config after so many iterations.

    Args:
        runner: has the config; its optimizer is left alone.
        groups: of the optimizer in a checkpoint; their scheduled values become those of the
            schedules.
        iterations: how many.
    """
    for group in groups:
        for name in [n for n in group if n.startswith('initial_')]:
            group[name.removeprefix('initial_')] = group[name]
    stand_in: Any = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    stand_in.param_groups = groups
    # Private: the public one does not take a bare optimizer. It fills in ends and epochs.
    schedulers = runner._build_param_scheduler(runner.cfg.param_scheduler, stand_in)
    epoch = len(runner.train_dataloader)
    stand_in._global_step = 0  # its steps were done
    for iteration in range(1, iterations + 1):
        for scheduler in schedulers:
            if not scheduler.by_epoch or iteration % epoch == 0:
                scheduler.step()
    return schedulers


def _check_groups(theirs: Sequence[dict], ours: Sequence[dict], file: str) -> None:
    sizes = [[len(group['params']) for group in groups] for groups in (theirs, ours)]
    names = [_settings(groups[0]) & _TELLING for groups in (theirs, ours)]
    if sizes[0] != sizes[1] or names[0] != names[1]:
        raise UserError(
            f'--resume: the optimizer in {file} is not that of the config.\n'
            f'  in the checkpoint: {len(theirs)} groups of {sum(sizes[0])} parameters, with '
            f'{", ".join(sorted(names[0]))}\n'
            f'  in the config:     {len(ours)} groups of {sum(sizes[1])} parameters, with '
            f'{", ".join(sorted(names[1]))}\n'
            'Is optim_wrapper (type of the optimizer, paramwise_cfg) as it was? To train with '
            'another one begin a new run, with load_from and without --resume.'
        )


def _settings(group: Mapping[str, Any]) -> set[str]:
    return {name for name in group if name != 'params' and not name.startswith(_SET_BY_SCHEDULES)}


def _kept_settings(theirs: Sequence[dict], ours: Sequence[dict]) -> Iterator[str]:
    """Settings of the optimizer that differ, each once, with both values."""
    said = set()
    for old, new in zip(theirs, ours, strict=True):
        for name in sorted(_settings(old) & _settings(new)):
            kept, wanted = (g.get(f'initial_{name}', g[name]) for g in (old, new))
            if kept != wanted and name not in said:
                said.add(name)
                yield (
                    f'optim_wrapper.optimizer.{name} {_short(wanted)} (the run has {_short(kept)})'
                )


def _changes(theirs: Sequence[dict], ours: Sequence[dict]) -> Iterator[str]:
    """Settings of schedules that differ: old -> new."""
    if len(theirs) != len(ours):
        yield f'param_scheduler has {len(ours)} entries (the run had {len(theirs)})'
        return
    for i, (old, new) in enumerate(zip(theirs, ours, strict=True)):
        for name in [*new, *(n for n in old if n not in new)]:
            values = old.get(name), new.get(name)
            if name in _MOVING or any(callable(value) for value in values):
                continue
            if values[0] != values[1]:
                shown = ' -> '.join(map(_short, values))
                yield f'param_scheduler.{i}.{name.lstrip("_")} {shown}'


def _short(value: Any) -> str:
    return f'{value:.4g}' if isinstance(value, float) else str(value)
