"""Changes the weights of the two tasks during training."""

import math
from collections.abc import Sequence
from numbers import Real

from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch import nn

from abc_mmdet.errors import UserError
from abc_mmdet.models.losses import ABCMultiTaskLoss
from abc_mmdet.models.wrapped import unwrapped
from mmdet.registry import HOOKS

WEIGHTS = ('main_weight', 'aux_weight')
CURVES = {
    'linear': lambda progress: progress,
    'cosine': lambda progress: (1 - math.cos(math.pi * progress)) / 2,
}


@HOOKS.register_module()
class MultiTaskWeightHook(Hook):
    """Sets the weights of :class:`ABCMultiTaskLoss` from given iterations on.

    An entry of the schedule with ``begin`` alone sets weights at once. One with ``end`` as well
    leads from the weight in effect at ``begin`` to its own, which it reaches at ``end``: a warm-up
    or a decay. Before the first entry the weights are those of the config. Example: the auxiliary
    task fades in over 1000 iterations, and out over the last fifth of a run of 100,000::

        dict(
            type='MultiTaskWeightHook',
            schedule=[
                dict(begin=0, aux_weight=0.0),
                dict(begin=0, end=1000, aux_weight=0.25),
                dict(begin=80_000, end=100_000, aux_weight=0.0, curve='cosine'),
            ],
        )

    The weights follow from the iteration alone, so a resumed run has those of the undisturbed
    one. Those of the schedule are logged: ``train/aux_weight`` in the message hub, ``aux_weight``
    in log and TensorBoard.

    Args:
        schedule: entries with ``begin`` (iteration, counted from 0) and one or both weights; with
            ``end``, and ``curve``, 'linear' (default) or 'cosine', for a gradual change.

    Raises:
        UserError: an entry without ``begin``, with an unknown field or an impossible value, or a
            model without :class:`ABCHead`.
    """

    def __init__(self, schedule: Sequence[dict]) -> None:
        for entry in schedule:
            _check(entry)
        # A stable order: of two entries with one beginning, the latter starts from the former.
        self.schedule = sorted(schedule, key=lambda entry: entry['begin'])
        self._configured: dict[str, float] = {}

    def weight_at(self, name: str, iteration: int, configured: float) -> float:
        """Value of the weight ``name`` in an iteration (from 0); ``configured`` in the model."""
        entries = [e for e in self.schedule if name in e and e['begin'] <= iteration]
        weight = configured
        for entry, until in zip(
            entries, [*(e['begin'] for e in entries[1:]), iteration], strict=False
        ):
            progress = _progress(entry, until)
            weight = weight * (1 - progress) + entry[name] * progress
        return weight

    def before_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: dict | None = None
    ) -> None:
        losses = _multi_task_losses(runner)
        for name in WEIGHTS:
            if any(name in entry for entry in self.schedule):
                configured = self._configured.setdefault(name, getattr(losses[0], name))
                weight = self.weight_at(name, runner.iter, configured)
                for loss in losses:
                    setattr(loss, name, weight)
                runner.message_hub.update_scalar(f'train/{name}', weight)


def _multi_task_losses(runner: Runner) -> list[nn.Module]:
    """Of the detector, or of student and teacher of a semi-supervised one."""
    model = unwrapped(runner.model)
    losses: list[nn.Module] = [m for m in model.modules() if isinstance(m, ABCMultiTaskLoss)]
    if not losses:
        raise UserError(
            'MultiTaskWeightHook needs a model whose bbox_head is an ABCHead with an '
            'auxiliary head; remove the hook or use_auxiliary=False.'
        )
    return losses


def _progress(entry: dict, iteration: int) -> float:
    """How far an entry has come, from 0 to 1, in an iteration from its ``begin`` on."""
    begin, end = entry['begin'], entry.get('end', entry['begin'])
    if iteration >= end:
        return 1.0
    return CURVES[entry.get('curve', 'linear')]((iteration - begin) / (end - begin))


def _check(entry: dict) -> None:
    weights = [name for name in WEIGHTS if name in entry]
    problem = None
    if 'begin' not in entry or not weights or set(entry) - {'begin', 'end', 'curve', *WEIGHTS}:
        problem = f'give begin, one or both of {WEIGHTS}, and end and curve for a gradual change'
    elif not isinstance(entry['begin'], Real) or entry['begin'] < 0:
        problem = 'begin is the number of an iteration, from 0'
    elif 'end' in entry and not (isinstance(entry['end'], Real) and entry['end'] > entry['begin']):
        problem = 'end is the number of an iteration after begin'
    elif 'curve' in entry and ('end' not in entry or entry['curve'] not in CURVES):
        problem = f'curve is one of {tuple(CURVES)} and needs an end'
    elif any(not isinstance(entry[w], Real) or not 0 <= entry[w] < math.inf for w in weights):
        problem = 'a weight is a number, 0 or more'
    if problem:
        raise UserError(f'MultiTaskWeightHook schedule entry {dict(entry)} is wrong: {problem}.')
