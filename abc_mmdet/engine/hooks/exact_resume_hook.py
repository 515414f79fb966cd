"""Lets a resumed run go on as if it had never been interrupted."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from mmengine.device import get_device
from mmengine.dist import all_gather_object, get_rank, get_world_size
from mmengine.hooks import Hook
from mmengine.optim import OptimWrapper
from mmengine.runner import EpochBasedTrainLoop, IterBasedTrainLoop, Runner
from mmengine.utils import apply_to
from torch import Tensor, nn
from torch.utils.data import DataLoader, IterableDataset

from abc_mmdet.engine.placed_samples import PlacedBatches, placed_loader, seed_all
from abc_mmdet.utils.wrapped import unwrapped
from mmdet.models.data_preprocessors import BatchSyncRandomResize
from mmdet.registry import HOOKS

STATES = 'running_states'
_GRADIENTS = 'gradients'
_MODEL = 2  # tells the seeds of an iteration from those of a sample


@HOOKS.register_module()
class ExactResumeHook(Hook):
    """Makes what a run computes follow from its seed and its checkpoints, and from nothing else.

    A run that is killed and resumed, any number of times, has the weights and the logged losses
    of one that was not, to the last bit where the computation itself is reproducible (on a CPU);
    so has one with another number of loader processes. Beside what MMEngine restores:

    - The loader begins with the batch whose turn it is. No earlier sample is loaded.
    - Random numbers of a sample (augmentation, images mixed in) follow from the seed and the
      sample's place in the run, those of the model (dropout, random sizes) from the seed and the
      iteration.
    - Checkpoints also hold what modules carry from one iteration to the next: the memory of
      streams, measurements of :class:`GradientArbiter`, the size that ``BatchSyncRandomResize``
      drew, gradients that are still being accumulated. Modules of others take part with
      ``running_state()`` and ``set_running_state(state)``.

    Runs by epochs go on at the border of an epoch, as MMEngine's do. Left out are transforms that
    remember earlier images (``CachedMosaic``, ``CachedMixUp``) or have random numbers of their own,
    and data sets without index.

    Examples:
        >>> config = dict(default_hooks=dict(exact_resume=dict(type='ExactResumeHook')))
    """

    priority = 'VERY_HIGH'

    def __init__(self) -> None:
        self._batches: PlacedBatches | None = None
        self._gathered: list[dict] | None = None
        self._loaded: list[dict] | None = None

    def before_train(self, runner: Runner) -> None:
        self._place_samples(runner)
        if self._loaded is not None:
            if len(self._loaded) == get_world_size():
                set_running_states(runner, self._loaded[get_rank()])
            else:
                runner.logger.warning(
                    f'The checkpoint is that of {len(self._loaded)} processes, which each carried '
                    'something on (as the memory of streams): begun without.'
                )
            self._loaded = None

    def _place_samples(self, runner: Runner) -> None:
        loop = runner.train_loop
        by_iteration = isinstance(loop, IterBasedTrainLoop)
        loader = loop.dataloader
        if (
            not isinstance(loop, (IterBasedTrainLoop, EpochBasedTrainLoop))
            or loader.batch_sampler is None
            or isinstance(loader.dataset, IterableDataset)
        ):
            runner.logger.warning(
                f'ExactResumeHook does not know how {type(loop).__name__} reads '
                f'{type(loader.dataset).__name__}: resumed runs will see other data.'
            )
            return
        self._batches = PlacedBatches(loader.batch_sampler, endless=by_iteration)
        self._batches.start = loop.iter
        loop.dataloader = placed_loader(loader, self._batches, runner.seed)
        if by_iteration:
            eager = not hasattr(loop.dataloader_iterator, 'skip_iter')
            loop.dataloader_iterator = BatchStream(loop.dataloader, loop.iter if eager else 0)

    def before_train_epoch(self, runner: Runner) -> None:
        if self._batches is not None:
            self._batches.start = runner.iter

    def before_train_iter(self, runner: Runner, *args: Any, **kwargs: Any) -> None:
        differs = runner._randomness_cfg.get('diff_rank_seed', False)
        seed_all(runner.seed, runner.iter, get_rank() if differs else 0, _MODEL)
        if get_device() != 'cpu':
            torch.manual_seed(torch.initial_seed())  # that of the CPU, for all devices

    def before_checkpoint(self, runner: Runner) -> None:
        """Of :class:`AtomicCheckpointHook`, in all processes."""
        own = apply_to(running_states(runner), lambda x: isinstance(x, Tensor), _to_cpu)
        self._gathered = all_gather_object(own) if get_world_size() > 1 else [own]

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        if 'optimizer' not in checkpoint:  # nothing to resume from
            return
        if self._gathered is None and get_world_size() == 1:
            self.before_checkpoint(runner)
        if self._gathered is not None:
            checkpoint[STATES], self._gathered = self._gathered, None

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        states = checkpoint.pop(STATES, None)
        self._loaded = states if runner._resume else None


class BatchStream:
    """The batches of a loader, in place of MMEngine's iterator of :class:`IterBasedTrainLoop`.

    Args:
        loader: begins with the batch whose turn it is, and is endless.
        to_skip: batches that the loop is going to ask for and drop, as that of an older MMEngine
            does; nothing is loaded for them.

    Examples:
        >>> stream = BatchStream(['first', 'second'], to_skip=1)
        >>> next(stream), next(stream)
        (None, 'first')
    """

    def __init__(self, loader: DataLoader, to_skip: int = 0) -> None:
        self._loader, self._to_skip = loader, to_skip
        self._iterator: Iterator | None = None

    def __iter__(self) -> BatchStream:
        return self

    def __next__(self) -> Any:
        if self._to_skip:
            self._to_skip -= 1
            return None
        if self._iterator is None:
            self._iterator = iter(self._loader)
        return next(self._iterator)

    def skip_iter(self, num_iters: int) -> None:
        """The loader is there already."""


def running_states(runner: Runner) -> dict[str, Any]:
    """What modules carry from one iteration to the next, by their names."""
    model = unwrapped(runner.model)
    states = {name: module.running_state() for name, module in _carriers(model)}
    states.update({n: list(m._input_size) for n, m in _resizes(model) if m._input_size})
    if _is_accumulating(runner.optim_wrapper):
        parameters = model.named_parameters()
        states[_GRADIENTS] = {n: p.grad for n, p in parameters if p.grad is not None}
    return states


def set_running_states(runner: Runner, states: dict[str, Any]) -> None:
    """The way back of :func:`running_states`."""
    model = unwrapped(runner.model)
    for name, module in _carriers(model):
        if name in states:
            module.set_running_state(states[name])
    for name, resize in _resizes(model):
        if name in states:
            resize._input_size = tuple(states[name])
    for name, parameter in model.named_parameters():
        if name in states.get(_GRADIENTS, {}):
            parameter.grad = states[_GRADIENTS][name].to(parameter)


def _carriers(model: nn.Module) -> Iterator[tuple[str, Any]]:
    modules = model.named_modules()
    return ((n, m) for n, m in modules if callable(getattr(type(m), 'running_state', None)))


def _resizes(model: nn.Module) -> Iterator[tuple[str, BatchSyncRandomResize]]:
    return ((n, m) for n, m in model.named_modules() if isinstance(m, BatchSyncRandomResize))


def _is_accumulating(optim_wrapper: Any) -> bool:
    return (
        isinstance(optim_wrapper, OptimWrapper)
        and optim_wrapper._accumulative_counts > 1
        and not optim_wrapper.should_update()
    )


def _to_cpu(tensor: Tensor) -> Tensor:
    return tensor.cpu()
