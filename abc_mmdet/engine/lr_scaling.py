"""The learning rate for another batch size, where a schedule has it in absolute numbers."""

from __future__ import annotations

from typing import Any

from mmengine.runner import Runner

_ENDS = ('eta_max', 'eta_min', 'min_value')


def scale_schedules(runner: Runner) -> None:
    """Scale what schedules of the learning rate name in absolute numbers, as the rate itself.

    MMEngine's ``auto_scale_lr`` scales the rate of the optimizer alone, which a schedule with
    ``eta_max`` replaces by its own. Call it before the schedules are built.
    """
    scaling = runner.auto_scale_lr or {}
    if not scaling.get('enable'):
        return
    loader = runner._train_dataloader  # private; the public one would be built
    batch = loader['batch_size'] if isinstance(loader, dict) else loader.batch_size
    ratio = runner.world_size * batch / scaling['base_batch_size']
    # That of the config is built again where a resumed run follows another schedule
    for schedulers in (runner.param_schedulers, runner.cfg.get('param_scheduler')):
        for scheduler in [schedulers] if isinstance(schedulers, dict) else schedulers or []:
            if isinstance(scheduler, dict) and _is_of_rate(scheduler):
                _scale(scheduler, ratio)


def _is_of_rate(scheduler: dict[str, Any]) -> bool:
    kind = scheduler.get('type', '')
    name = kind if isinstance(kind, str) else kind.__name__
    return name.endswith('LR') or scheduler.get('param_name') == 'lr'


def _scale(scheduler: dict[str, Any], ratio: float) -> None:
    for end in _ENDS:
        value = scheduler.get(end)
        if isinstance(value, (list, tuple)):
            scheduler[end] = [part * ratio for part in value]
        elif value is not None:
            scheduler[end] = value * ratio
