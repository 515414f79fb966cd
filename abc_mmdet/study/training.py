"""The training of one run: to its end, to the next pause, or on from where it was."""

from __future__ import annotations

import resource
import signal
import time
from pathlib import Path
from types import FrameType

import torch
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.runner import Runner

from abc_mmdet.apis import config_mistakes, file_mistakes, prepare_run
from abc_mmdet.checkpoints.loading import read
from abc_mmdet.engine import AtomicCheckpointHook, newest_checkpoint
from mmdet.registry import HOOKS


class Paused(Exception):
    """A run was asked to stop, has saved a checkpoint and can be resumed from it.

    Examples:
        >>> str(Paused('after iteration 10'))
        'after iteration 10'
    """


@HOOKS.register_module()
class PausableCheckpointHook(AtomicCheckpointHook):
    """:class:`AtomicCheckpointHook` that on SIGTERM saves after the current iteration and stops.

    Raises:
        Paused: once the checkpoint is written.

    Examples:
        >>> HOOKS.build(dict(type='PausableCheckpointHook', interval=100)).interval
        100
    """

    def before_train(self, runner: Runner) -> None:
        super().before_train(runner)
        self._asked = False
        self._former = signal.signal(signal.SIGTERM, self._ask)

    def _ask(self, signum: int, frame: FrameType | None) -> None:
        self._asked = True

    def after_train_iter(self, runner: Runner, *args: object, **kwargs: object) -> None:
        super().after_train_iter(runner, *args, **kwargs)
        if self._asked and not self.is_last_train_iter(runner):
            self._save_checkpoint(runner)
            raise Paused(f'after iteration {runner.iter + 1}')

    def after_train(self, runner: Runner) -> None:
        super().after_train(runner)
        signal.signal(signal.SIGTERM, self._former)


@HOOKS.register_module()
class ResourceHook(Hook):
    """Logs the processor time of an iteration, and the peak memory of the process.

    On a machine that others use, processor time says more than time on the clock. Work of a
    loader's own processes is in neither.

    Examples:
        >>> config = dict(custom_hooks=[dict(type='ResourceHook')])
    """

    def before_train(self, runner: Runner) -> None:
        self._began = time.process_time()

    def after_train_iter(self, runner: Runner, *args: object, **kwargs: object) -> None:
        now = time.process_time()
        runner.message_hub.update_scalar('train/cpu_time', now - self._began)
        self._began = now
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10  # KiB on Linux
        runner.message_hub.update_scalar('train/process_mb', peak)


WEIGHTS = 'final.pth'
LOG_ENTRIES = 40  # in a run, for its curves


def train(config: Config, seed: int, folder: Path) -> Path:
    """Train, or finish what another process began in this folder.

    Args:
        config: of the experiment; left as it is.
        seed: of weights, order of the data and augmentation.
        folder: for logs and checkpoints.

    Returns:
        The file with the final weights (averaged ones, if the experiment averages). The
        checkpoints are gone by then.

    Raises:
        Paused: SIGTERM came; the next call goes on from there.
        UserError: the config describes nothing that can be built, or a file cannot be read.
    """
    weights = folder / WEIGHTS
    if weights.exists():
        return weights
    last, _ = newest_checkpoint(folder)
    if last is None or _iteration(last) < config.train_cfg.max_iters:
        with config_mistakes(config.filename or 'the config'):
            runner = Runner.from_cfg(training_config(config, seed, folder))
            _ = runner.train_loop  # a property that builds data set and loader when first read
        # An eighth faster on a CPU; same numbers but for the last digits
        runner.model.to(memory_format=torch.channels_last)
        with file_mistakes():
            runner.train()
        last, _ = newest_checkpoint(folder)
        assert last is not None, 'CheckpointHook saves the last iteration'
    _write_weights(last, weights)
    for checkpoint in folder.glob('iter_*.pth'):
        checkpoint.unlink()
    return weights


def training_config(config: Config, seed: int, folder: Path) -> Config:
    """The config with what a run of a study needs: no validation, finer logs, a way to pause."""
    config = config.copy()
    config.work_dir = str(folder)
    config.randomness = dict(config.get('randomness', {}), seed=seed)
    for phase in ('val', 'test'):
        for part in ('dataloader', 'cfg', 'evaluator'):
            config[f'{phase}_{part}'] = None
    prepare_run(config)
    every = max(config.train_cfg.max_iters // LOG_ENTRIES, 1)
    hooks = config.default_hooks
    hooks.logger.interval = every
    hooks.checkpoint.type = 'PausableCheckpointHook'
    hooks.checkpoint.max_keep_ckpts = 2  # one is whole while the other is being written
    hooks.pop('visualization', None)
    # By its own name a run gets a visualizer, and with it a log, of its own, whatever else this
    # process has trained or drawn: MMEngine has one instance a name.
    config.get('visualizer', {}).pop('name', None)
    config.log_processor = dict(
        config.log_processor,
        window_size=every,
        mean_pattern=r'.*(loss|time|grad_norm|conflict).*',
    )
    config.custom_hooks = [*config.get('custom_hooks', []), dict(type='ResourceHook')]
    newest, _ = newest_checkpoint(folder)
    if newest is not None:
        config.resume, config.load_from = True, str(newest)
    return config


def _iteration(checkpoint: Path) -> int:
    return int(checkpoint.stem.removeprefix('iter_'))


def _write_weights(checkpoint: Path, weights: Path) -> None:
    loaded = read(checkpoint)
    partial = weights.with_name(f'.{weights.name}.partial')
    torch.save(dict(meta=loaded['meta'], state_dict=loaded['state_dict']), partial)
    partial.replace(weights)
