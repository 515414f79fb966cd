"""Measures the size of the boxes that a model learns from, before it does."""

import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from mmengine.dist import all_reduce, get_dist_info
from mmengine.hooks import Hook
from mmengine.runner import Runner
from mmengine.structures import InstanceData
from torch import Tensor, nn

from abc_mmdet.errors import UserError
from abc_mmdet.models.dense_heads import ABCHead
from abc_mmdet.models.losses import NWDBlendLoss
from abc_mmdet.models.small_classes import select_instances
from abc_mmdet.models.wasserstein import nwd_constants
from abc_mmdet.utils.wrapped import unwrapped
from mmdet.models.dense_heads import GFLHead, TOODHead
from mmdet.registry import HOOKS
from mmdet.structures.bbox import get_box_tensor

INFO = 'nwd_constants'
MAIN = 'main task'


@HOOKS.register_module()
class NWDConstantHook(Hook):
    """Fills in the ``constant`` of every :class:`NWDBlendLoss` and :class:`NWDOverlaps2D`.

    It is the mean absolute size (square root of the area) of the boxes that a module learns from:
    below the auxiliary head of :class:`ABCHead` those of its task, elsewhere all of them. Samples
    of the training data set are drawn through its pipeline, so boxes have the size they have in
    the network's input. (What the data preprocessor rescales afterwards, as
    ``BatchSyncRandomResize`` does, is not seen.) Random numbers of the run are left as they were.

    The values are kept in MMEngine's message hub, hence in every checkpoint: a resumed run goes
    on with them. Inference needs none. Models without NWD, and constants fixed in the config, are
    left alone.

    Args:
        num_samples: how many samples to draw, without repetition.

    Raises:
        UserError: there is no box of a task among the samples, or a head hands its loss boxes in
            units of strides.

    Examples:
        >>> HOOKS.build(dict(type='NWDConstantHook', num_samples=50)).num_samples
        50
    """

    def __init__(self, num_samples: int = 300) -> None:
        self.num_samples = num_samples

    def before_train(self, runner: Runner) -> None:
        model = unwrapped(runner.model)
        wanted = [(n, c) for n, c in nwd_constants(model) if not c.is_fixed]
        if not wanted:
            return
        _refuse_strides(model)
        auxiliary = dict(_auxiliary_heads(model))
        tasks = [next((t for t in auxiliary if _is_below(n, t)), MAIN) for n, _ in wanted]
        values = dict(runner.message_hub.get_info(INFO) or {})
        if set(tasks) - set(values):
            values = self._measure(runner, auxiliary)
        for (_, constant), task in zip(wanted, tasks, strict=True):
            if np.isnan(values[task]):
                raise UserError(
                    f'NWDConstantHook has seen no box of the {task} in {self.num_samples} samples '
                    'of the training data. Raise its num_samples, or give the constant in the '
                    'config (in pixels of the network input).'
                )
            constant.value = values[task]
        runner.message_hub.update_info(INFO, values)
        for task in sorted(set(tasks)):
            runner.logger.info(f'NWD constant of the {task}: {values[task]:.2f} px')

    def _measure(self, runner: Runner, auxiliary: dict[str, ABCHead]) -> dict[str, float]:
        """Mean absolute size in pixels of the boxes of each task; NaN without any."""
        dataset = runner.train_dataloader.dataset
        rank, world_size = get_dist_info()
        order = np.random.default_rng(runner.seed).permutation(len(dataset))
        totals = torch.zeros(1 + len(auxiliary), 2, dtype=torch.float64)  # sum of sizes, number
        with _random_numbers_of_its_own(runner.seed + rank):
            for index in order[: self.num_samples][rank::world_size]:
                for instances in _ground_truths(dataset[int(index)]['data_samples']):
                    totals[0] += _sum_and_number(instances)
                    for i, head in enumerate(auxiliary.values(), 1):
                        table, limit = head.label_table.cpu(), head.small_classes.max_area
                        totals[i] += _sum_and_number(select_instances(instances, table, limit))
        all_reduce(totals)
        return dict(zip([MAIN, *auxiliary], (totals[:, 0] / totals[:, 1]).tolist(), strict=True))


def _refuse_strides(model: nn.Module) -> None:
    """The hook measures pixels; heads that divide by the stride of each level have no one unit."""
    for name, head in model.named_modules():
        divides = isinstance(head, (GFLHead, TOODHead)) or getattr(head, 'norm_on_bbox', False)
        losses = [m for m in head.modules() if isinstance(m, NWDBlendLoss)] if divides else []
        if any(not loss.nwd_constant.is_fixed for loss in losses):
            raise UserError(
                f'NWDConstantHook measures boxes in pixels, but {type(head).__name__} ({name}) '
                'hands its loss_bbox boxes divided by the stride of their level. Give '
                "loss_bbox=dict(type='NWDBlendLoss', constant=...) in units of strides (about the "
                'mean size in pixels over the mean stride), and max_area too, or take a head whose '
                'loss sees pixels (YOLOXHead, RTMDetHead, ATSSHead).'
            )


def _auxiliary_heads(model: nn.Module) -> Iterator[tuple[str, ABCHead]]:
    for name, module in model.named_modules():
        if isinstance(module, ABCHead) and module.use_auxiliary:
            yield f'{name}.aux_head'.lstrip('.'), module


def _is_below(name: str, parent: str) -> bool:
    return f'{name}.'.startswith(f'{parent}.')


def _ground_truths(sample: object) -> list[InstanceData]:
    """Ground truth of an image, or of the labelled frames of a clip."""
    return [frame.gt_instances for frame in getattr(sample, 'video_data_samples', [sample])]


def _sum_and_number(instances: InstanceData) -> Tensor:
    boxes = get_box_tensor(instances.bboxes).double()
    sizes = (boxes[:, 2:] - boxes[:, :2]).prod(-1).sqrt()
    return torch.stack([sizes.sum(), torch.as_tensor(float(len(sizes)), dtype=torch.float64)])


@contextmanager
def _random_numbers_of_its_own(seed: int) -> Iterator[None]:
    states = random.getstate(), np.random.get_state()
    with torch.random.fork_rng(devices=[]):
        try:
            random.seed(seed)
            np.random.seed(seed % 2**32)
            torch.default_generator.manual_seed(seed)
            yield
        finally:
            random.setstate(states[0])
            np.random.set_state(states[1])
