"""The last part of a training that counts iterations: without mosaic, and with the L1 loss."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mmengine.dist import get_world_size
from mmengine.hooks import Hook
from mmengine.runner import IterBasedTrainLoop, Runner

from abc_mmdet.engine.placed_samples import PlacedSamples
from abc_mmdet.errors import UserError
from abc_mmdet.models.wrapped import unwrapped
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

    Example:
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
