"""The training of one run: to its end, to the next pause, or on from where it was."""

from __future__ import annotations

from pathlib import Path

import torch
from mmengine.config import Config
from mmengine.runner import Runner

from abc_mmdet.apis import add_standard_hooks, config_mistakes, file_mistakes
from abc_mmdet.checkpoints.loading import read
from abc_mmdet.engine import newest_checkpoint

from . import run_hooks  # noqa: F401  registers the hooks that are named below

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
    add_standard_hooks(config)
    config.work_dir = str(folder)
    config.randomness = dict(config.get('randomness', {}), seed=seed)
    for phase in ('val', 'test'):
        for part in ('dataloader', 'cfg', 'evaluator'):
            config[f'{phase}_{part}'] = None
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
