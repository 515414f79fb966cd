"""What changes from one stage of a training to the next: augmentation, L1 loss, task weights."""

from __future__ import annotations

import math
from collections.abc import Sequence
from numbers import Real
from typing import Any

from mmengine.dist import get_world_size
from mmengine.hooks import Hook
from mmengine.runner import IterBasedTrainLoop, Runner
from torch import nn

from abc_mmdet.engine.placed_samples import PlacedSamples
from abc_mmdet.errors import UserError
from abc_mmdet.models.losses import ABCMultiTaskLoss
from abc_mmdet.utils.wrapped import unwrapped
from mmdet.datasets import MultiImageMixDataset
from mmdet.registry import HOOKS


@HOOKS.register_module()
class IterModeSwitchHook(Hook):
    """MMDetection's ``YOLOXModeSwitchHook`` for training loops that count iterations.

    For the last ``num_last_iters`` iterations the transforms of ``skip_type_keys`` are left out and
    the head has the L1 loss (Ge et al., 2021, "YOLOX"). What a sample goes through follows from
    its place in the run (:class:`ExactResumeHook`), so loader processes are not restarted, batches
    that they prepared in advance are right, and a resumed run is exact.

    Args:
        num_last_iters: how many iterations.
        skip_type_keys: types of the transforms of ``MultiImageMixDataset`` that are left out.
        use_l1: whether the head gets the L1 loss.

    Raises:
        UserError: the loop counts epochs, the config lacks ``ExactResumeHook``, or there is no
            ``MultiImageMixDataset`` whose transforms could be left out.

    Examples:
        >>> hook = IterModeSwitchHook(num_last_iters=100)
    """

    def __init__(
        self,
        num_last_iters: int,
        skip_type_keys: Sequence[str] = ('Mosaic', 'RandomAffine', 'MixUp'),
        use_l1: bool = True,
    ) -> None:
        self.num_last_iters = num_last_iters
        self.skip_type_keys = tuple(skip_type_keys)
        self.use_l1 = use_l1

    def before_train(self, runner: Runner) -> None:
        if not isinstance(runner.train_loop, IterBasedTrainLoop):
            raise UserError(
                'IterModeSwitchHook is for IterBasedTrainLoop; a training by epochs takes '
                'YOLOXModeSwitchHook.'
            )
        if not self.skip_type_keys:
            return
        loader = runner.train_dataloader
        samples = getattr(loader.dataset, '__getitems__', None)
        if not isinstance(samples, PlacedSamples):
            raise UserError(
                'IterModeSwitchHook needs default_hooks.exact_resume=dict(type='
                "'ExactResumeHook'), which tells samples their place in the run."
            )
        if not isinstance(loader.dataset, MultiImageMixDataset):
            raise UserError(
                'IterModeSwitchHook leaves out transforms of MultiImageMixDataset, but '
                f'train_dataloader.dataset is a {type(loader.dataset).__name__}. Give '
                'skip_type_keys=() for the L1 loss alone.'
            )
        samples_per_iter = loader.batch_sampler.batch_size * get_world_size()
        first = (runner.max_iters - self.num_last_iters) * samples_per_iter
        samples.skip_from(first, self.skip_type_keys)

    def before_train_iter(self, runner: Runner, *args: Any, **kwargs: Any) -> None:
        if self.use_l1:
            model = unwrapped(runner.model)
            model.bbox_head.use_l1 = runner.iter >= runner.max_iters - self.num_last_iters


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

    Examples:
        >>> hook = MultiTaskWeightHook([dict(begin=0, end=1000, aux_weight=0.25)])
        >>> hook.weight_at('aux_weight', 500, configured=0.0)
        0.125
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
