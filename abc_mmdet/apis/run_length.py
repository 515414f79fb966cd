"""A training of another length: schedules, intervals and averaged weights follow it."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from mmengine.config import Config

from abc_mmdet.errors import UserError
from abc_mmdet.utils.processes import say

from .config_parts import type_name


def is_even(interval: int, length: int) -> bool:
    """Whether what comes every ``interval`` iterations, and at the end, never comes twice at once.

    The last part of the run is the whole interval, or at least half of it.
    """
    rest = length % interval
    return interval >= length or rest == 0 or 2 * rest >= interval


def even_interval(interval: int, length: int) -> int:
    """The shortest interval from this one on that :func:`is_even`.

    MMEngine validates and saves at the last iteration as well: every 50 of 2451 iterations would
    be at 2450 and at 2451, and those two would be the checkpoints that are kept.

    Examples:
        >>> even_interval(50, 2500), even_interval(50, 2451)
        (50, 55)
    """
    while not is_even(interval, length):
        interval += 1
    return interval


LENGTHS = ('max_iters', 'max_epochs')
LARGEST_MOMENTUM = 0.5
"""Of averaged weights: the share of the newest ones, which a short run would make 1 or more."""

WARM_UPS = ('LinearLR', 'ConstantLR')
"""After these a rate stays what it is: nothing has to follow them."""

Hook = dict[str, Any]


def stretch(config: Config, field: str, length: Any) -> list[str]:
    """Plan a training for another length.

    Every border keeps its place in the run: the ends of warm-up and decay, milestones, the
    intervals of validation and checkpoints, the part without mosaic, entries of
    ``MultiTaskWeightHook``; averaged weights reach back over the same share of it.

    Args:
        config: the experiment; changed in place, but for ``train_cfg`` ``field`` itself.
        field: ``max_iters`` or ``max_epochs``.
        length: the new value.

    Returns:
        A line ``field: old -> new`` for everything that follows.

    Raises:
        UserError: a length that is no positive whole number.
    """
    if isinstance(length, bool) or not isinstance(length, int) or length < 1:
        raise UserError(f'train_cfg.{field}={length!r}: give a whole number from 1 on.')
    loop = config.get('train_cfg') or {}
    old = loop.get(field)
    if not isinstance(old, int) or old < 1 or old == length:
        return []
    plan = _Plan(old, length, by_epoch=field == 'max_epochs')
    plan.loop(loop)
    plan.schedules(config)
    for place in ('default_hooks', 'custom_hooks'):
        hooks = config.get(place) or {}
        items = hooks.items() if isinstance(hooks, dict) else enumerate(hooks)
        for key, hook in items:
            if isinstance(hook, dict):
                plan.hook(hook, f'{place}.{key}')
    return plan.changes


class _Plan:
    """Maps what counts iterations (or epochs) of a run to one of another length."""

    def __init__(self, old: int, new: int, by_epoch: bool) -> None:
        self.old, self.new, self.by_epoch = old, new, by_epoch
        self.changes: list[str] = []

    def border(self, place: int) -> int:
        """A moment of the run. One between its ends stays between them."""
        if not 0 < place < self.old:
            return place and round(place * self.new / self.old)
        return min(max(round(place * self.new / self.old), 1), max(self.new - 1, 1))

    def interval(self, number: int) -> int:
        """Rounded up, or there would be a second, short one at the end."""
        return max(math.ceil(number * self.new / self.old), 1) if number > 0 else number

    def moments(self, number: int) -> int:
        """An interval of what also comes at the end: never twice in the last iterations."""
        return even_interval(self.interval(number), self.new) if number > 0 else number

    def change(self, owner: dict, key: str, where: str, new: Callable[[Any], Any]) -> None:
        if owner.get(key) is None:
            return
        before, owner[key] = owner[key], new(owner[key])
        if owner[key] != before:
            self.changes.append(f'{where}.{key}: {before} -> {owner[key]}')

    def loop(self, loop: dict) -> None:
        self.change(loop, 'val_interval', 'train_cfg', self.moments)
        self.change(loop, 'val_begin', 'train_cfg', self.border)
        self.change(
            loop,
            'dynamic_intervals',
            'train_cfg',
            lambda entries: [(self.border(b), self.moments(n)) for b, n in entries],
        )

    def schedules(self, config: Config) -> None:
        schedulers = config.get('param_scheduler')
        if isinstance(schedulers, dict) and 'type' in schedulers:
            schedulers = config.param_scheduler = [schedulers]
        if not isinstance(schedulers, list):
            return
        for i, scheduler in enumerate(schedulers):
            if scheduler.get('by_epoch', True) == self.by_epoch:
                self.schedule(scheduler, f'param_scheduler.{i}')
        kept = [s for s in schedulers if s.get('begin', 0) < s.get('end', math.inf)]
        if len(kept) < len(schedulers):
            self.changes.append('param_scheduler: without what has no iteration left')
        config.param_scheduler = kept

    def schedule(self, scheduler: dict, where: str) -> None:
        begin = scheduler.get('begin', 0)
        self.change(scheduler, 'begin', where, self.border)
        self.change(scheduler, 'end', where, self.border)
        for span in ('T_max', 'total_steps'):
            self.change(
                scheduler,
                span,
                where,
                lambda n: max(self.border(begin + n) - scheduler.get('begin', 0), 1),
            )
        self.change(scheduler, 'milestones', where, lambda m: [self.border(x) for x in m])
        self.change(scheduler, 'restarts', where, lambda m: [self.border(x) for x in m])
        self.change(scheduler, 'periods', where, lambda m: [self.interval(x) for x in m])
        self.change(scheduler, 'step_size', where, self.interval)

    def hook(self, hook: Hook, where: str) -> None:
        kind = type_name(hook)
        if kind.endswith('CheckpointHook') and hook.get('by_epoch', True) == self.by_epoch:
            self.change(hook, 'interval', where, self.moments)
            self.change(hook, 'save_begin', where, self.border)
        elif kind == 'EMAHook':
            share = self.old / self.new
            self.change(
                hook,
                'momentum',
                where,
                lambda m: min(m * share, max(m, LARGEST_MOMENTUM)) if m < 1 else m,
            )
            self.change(hook, 'gamma', where, self.interval)
            self.change(hook, 'begin_epoch' if self.by_epoch else 'begin_iter', where, self.border)
        elif kind == 'MultiTaskWeightHook' and not self.by_epoch:
            for i, entry in enumerate(hook.get('schedule') or []):
                self.change(entry, 'begin', f'{where}.schedule.{i}', self.border)
                self.change(entry, 'end', f'{where}.schedule.{i}', self.border)
                if entry.get('end', math.inf) <= entry.get('begin', 0):
                    del entry['end']  # a change without an iteration left for it is made at once
        last = 'num_last_epochs' if self.by_epoch else 'num_last_iters'
        self.change(hook, last, where, self.border)


def check_length(config: Config) -> None:
    """Compare schedules with the length of the training before it begins.

    A schedule that ends before the training, or would go on after it, is named in one warning.

    Raises:
        UserError: with a schedule that is too short for the training, or averaged weights of which
            the newest would be more than all, it would end in an error.
    """
    loop = config.get('train_cfg') or {}
    field = next((name for name in LENGTHS if loop.get(name)), None)
    if field is None:
        return
    length = loop[field]
    fatal, uneven = _schedules_against(config, length, by_epoch=field == 'max_epochs')
    for i, hook in enumerate(config.get('custom_hooks') or []):
        momentum = hook.get('momentum') if type_name(hook) == 'EMAHook' else None
        if momentum is not None and not 0 < momentum < 1:
            fatal.append(f'custom_hooks.{i}.momentum={momentum:g} is not between 0 and 1')
    remedy = (
        f'On the command line, --cfg-options train_cfg.{field}=N, what depends on the length '
        'follows.'
    )
    if fatal:
        raise UserError(
            f'The training ends at train_cfg.{field}={length}; with that it would end in an error, '
            'as these fields do not agree:\n  ' + '\n  '.join(fatal + uneven) + f'\n{remedy}'
        )
    if uneven:
        say(
            f'warning: the training ends at train_cfg.{field}={length}, the schedule elsewhere: '
            f'{"; ".join(uneven)}. {remedy}'
        )


def _schedules_against(config: Config, length: int, by_epoch: bool) -> tuple[list[str], list[str]]:
    """Fields of schedules that are too short to go on, and those that only end elsewhere."""
    schedulers = config.get('param_scheduler') or []
    fatal: list[str] = []
    uneven: list[str] = []
    ends = []
    for i, scheduler in enumerate([schedulers] if isinstance(schedulers, dict) else schedulers):
        if not isinstance(scheduler, dict):
            continue
        _check_moves(scheduler, f'param_scheduler.{i}', by_epoch)
        if scheduler.get('by_epoch', True) != by_epoch:
            continue
        where, begin = f'param_scheduler.{i}', scheduler.get('begin', 0)
        end = scheduler.get('end', length)
        if type_name(scheduler) not in WARM_UPS:
            ends.append((end, f'{where}.end={end}'))
        if end > length:
            uneven.append(f'{where}.end={end}')
        for span in ('total_steps', 'T_max'):
            number = scheduler.get(span)
            if number is None or begin + number == min(end, length):
                continue
            too_short = span == 'total_steps' and begin + number < min(end, length)
            line = f'{where}.{span}={number}' + (f' from {begin} on' if begin else '')
            (fatal if too_short else uneven).append(line)
    if ends and max(ends)[0] < length:
        uneven.append(max(ends)[1])
    return fatal, uneven


def _check_moves(scheduler: dict, where: str, by_epoch: bool) -> None:
    """Refuse a schedule that MMEngine would never move, without a word.

    Raises:
        UserError: it counts what the training does not.
    """
    counts_epochs = scheduler.get('by_epoch', True)
    if type_name(scheduler).startswith('ReduceOnPlateau'):
        if not counts_epochs:
            raise UserError(
                f'{where} ({type_name(scheduler)}) has by_epoch=False, with which it never looks '
                'at a validation. Leave it out: it then does after each one, in iterations too.'
            )
    elif counts_epochs and not by_epoch and not scheduler.get('convert_to_iter_based'):
        raise UserError(
            f'{where} ({type_name(scheduler)}) counts epochs (by_epoch=True, the default), and the '
            'training iterations: to MMEngine it is a single epoch, so the schedule would not move '
            'before its end. Give it by_epoch=False, and begin, end, ... in iterations; or '
            'convert_to_iter_based=True.'
        )
