"""The lines of a run that a person reads: what is trained on what, how far it is, how good."""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from mmengine.dist import get_world_size, master_only
from mmengine.hooks import Hook, LoggerHook
from mmengine.runner import EpochBasedTrainLoop, Runner

from abc_mmdet.engine.checkpoint_files import newest_checkpoint
from abc_mmdet.evaluation import SmallObjectMetric
from abc_mmdet.models.dense_heads import ABCHead
from abc_mmdet.utils.wrapped import leaves, unwrapped

MOST_CLASSES = 12
"""Classes that are named; of more the number is enough."""


class ConsoleHook(Hook):
    """Prints the beginning of a run, its progress, and metrics without a table.

    Progress comes as often as ``default_hooks.logger`` writes to the log file, from the same
    averages. :class:`~abc_mmdet.evaluation.SmallObjectMetric` logs a table of its own.

    Examples:
        >>> runner.register_hook(ConsoleHook())  # doctest: +SKIP
    """

    priority = 'LOW'  # after LoggerHook

    def before_run(self, runner: Runner) -> None:
        _say('\n'.join(f'{name:<11} {text}' for name, text in facts(runner)))

    def after_train_iter(self, runner: Runner, batch_idx: int, *args: Any, **kwargs: Any) -> None:
        loop = runner.train_loop
        by_epoch = isinstance(loop, EpochBasedTrainLoop)
        number, whole = batch_idx + 1, len(runner.train_dataloader) if by_epoch else loop.max_iters
        if not self._is_due(runner, batch_idx) and number != whole:
            return
        tag, _ = runner.log_processor.get_log_after_iter(runner, batch_idx, 'train')
        epoch = f'epoch {loop.epoch + 1}/{loop.max_epochs}  ' if by_epoch else ''
        parts = [f'{epoch}iter {number}/{whole}']
        parts += [f'loss {tag["loss"]:.4f}'] if 'loss' in tag else []
        parts += [f'lr {tag["lr"]:.2e}'] if 'lr' in tag else []
        parts += self._pace(runner, tag)
        parts += [f'{tag["memory"]} MB'] if tag.get('memory') else []
        _say('  '.join(parts))

    def after_val_iter(self, runner: Runner, batch_idx: int, *args: Any, **kwargs: Any) -> None:
        self._progress(runner, batch_idx, 'val')

    def after_test_iter(self, runner: Runner, batch_idx: int, *args: Any, **kwargs: Any) -> None:
        self._progress(runner, batch_idx, 'test')

    def after_val_epoch(self, runner: Runner, metrics: dict[str, float] | None = None) -> None:
        if not has_table(runner.val_evaluator):
            _say(f'validation  {in_one_line(metrics or {})}')

    def _progress(self, runner: Runner, batch_idx: int, mode: str) -> None:
        if not self._is_due(runner, batch_idx):
            return
        tag, _ = runner.log_processor.get_log_after_iter(runner, batch_idx, mode)
        whole = len(runner.val_dataloader if mode == 'val' else runner.test_dataloader)
        _say('  '.join([f'{mode} {batch_idx + 1}/{whole}', *self._pace(runner, tag)]))

    def _is_due(self, runner: Runner, batch_idx: int) -> bool:
        loggers = [hook for hook in runner.hooks if isinstance(hook, LoggerHook)]
        return any(self.every_n_inner_iters(batch_idx, logger.interval) for logger in loggers)

    @staticmethod
    def _pace(runner: Runner, tag: dict[str, Any]) -> Iterator[str]:
        eta = runner.message_hub.runtime_info.get('eta')
        if eta is not None:
            yield f'eta {datetime.timedelta(seconds=int(eta))}'
        if 'time' in tag:
            yield f'{tag["time"]:.3f} s/iter'


@master_only
def _say(text: str) -> None:
    print(text, flush=True)


def has_table(evaluator: Any) -> bool:
    """Whether an evaluator logs a table of its metrics."""
    metrics = getattr(evaluator, 'metrics', ())
    return any(isinstance(metric, SmallObjectMetric) for metric in metrics)


def in_one_line(metrics: dict[str, float]) -> str:
    """Metrics in one line, by their names without a prefix."""
    named = {name.rpartition('/')[2]: value for name, value in metrics.items()}
    return ', '.join(
        f'{name} {value:.3f}' if isinstance(value, (int, float)) else f'{name} {value}'
        for name, value in named.items()
    )


def facts(runner: Runner) -> Iterator[tuple[str, str]]:
    """What a run is about, before it begins: name and text of each line."""
    yield 'config', str(runner.cfg.filename or runner.experiment_name)
    is_training = runner.train_loop is not None if _is_built(runner, 'train') else False
    if is_training:
        yield 'training', _data(runner.train_dataloader)
        if _is_built(runner, 'val'):
            yield 'validation', f'{_data(runner.val_dataloader)}, every {_interval(runner)}'
        loader = runner.train_dataloader
    else:
        yield 'test', _data(runner.test_dataloader)
        loader = runner.test_dataloader
    network = unwrapped(runner.model)
    yield from _classes(getattr(loader.dataset, 'metainfo', {}).get('classes'), network)
    numbers = sum(parameter.numel() for parameter in network.parameters())
    yield (
        'model',
        f'{_name(network)}, {numbers / 1e6:.2f} M parameters, on {device_name(runner.model)}',
    )
    yield 'weights', _weights(runner, is_training)
    if is_training:
        loop = runner.train_loop
        by_epoch = isinstance(loop, EpochBasedTrainLoop)
        yield 'length', f'{loop.max_epochs} epochs' if by_epoch else f'{loop.max_iters} iterations'
    if runner.logger.log_file:
        yield 'log', str(runner.logger.log_file)


def _is_built(runner: Runner, mode: str) -> bool:
    loop = getattr(runner, f'_{mode}_loop')  # the public property would build it
    return loop is not None and not isinstance(loop, dict)


def _data(loader: Any) -> str:
    parts = leaves(loader.dataset)
    files = [Path(f) for part in parts if (f := getattr(part, 'ann_file', None))]
    of = f' of {", ".join(map(str, files[:3]))}{", ..." if len(files) > 3 else ""}' if files else ''
    unit = 'images' if all(hasattr(part, 'cat2label') for part in parts) else 'samples'
    batch = batch_size(loader)
    processes = get_world_size()
    size = f', batch {batch}' if batch else ''
    size += f' in each of {processes} processes' if batch and processes > 1 else ''
    return f'{len(loader.dataset)} {unit}{of}{size}'


def _interval(runner: Runner) -> str:
    loop = runner.train_loop
    by_epoch = isinstance(loop, EpochBasedTrainLoop)
    return f'{loop.val_interval} {"epochs" if by_epoch else "iterations"}'


def _classes(classes: Sequence[str] | None, network: Any) -> Iterator[tuple[str, str]]:
    if not classes:
        return
    yield 'classes', _listed(classes)
    head = getattr(network, 'bbox_head', None)
    if isinstance(head, ABCHead) and head.use_auxiliary:
        yield 'auxiliary', _listed(head.small_classes.names)


def _listed(names: Sequence[str]) -> str:
    more = f', and {len(names) - MOST_CLASSES} more' if len(names) > MOST_CLASSES else ''
    return f'{len(names)}: {", ".join(names[:MOST_CLASSES])}{more}'


def _name(network: Any) -> str:
    head = getattr(network, 'bbox_head', None)
    return type(network).__name__ + (f' with {type(head).__name__}' if head is not None else '')


def device_name(model: torch.nn.Module) -> str:
    """What a model runs on: ``CPU``, or the name of the GPU."""
    device = next(model.parameters()).device
    is_gpu = device.type == 'cuda'
    return torch.cuda.get_device_name(device) if is_gpu else str(device.type).upper()


def batch_size(loader: Any) -> int | None:
    """Samples at a time, where the loader or its batch sampler says so."""
    return getattr(loader, 'batch_size', None) or getattr(loader.batch_sampler, 'batch_size', None)


def _weights(runner: Runner, is_training: bool) -> str:
    file = runner._load_from  # private, as in CheckpointFitHook: there is no other
    if runner._resume:
        return f'resumed from {file or "the newest checkpoint of the work dir, if there is one"}'
    if file:
        return str(file)
    start = getattr(unwrapped(runner.model), 'init_cfg', None)
    pretrained = start.get('checkpoint') if isinstance(start, dict) else None
    return str(pretrained) if pretrained else 'from scratch' if is_training else 'random'


SHOWN = {'mAP': 'bbox_mAP', 'AP_small': 'bbox_mAP_s', 'small classes': 'bbox_mAP_small_classes'}


def result_line(metrics: Mapping[str, float], checkpoint: str | Path | None) -> str:
    """Mean average precision, that of small objects and of small classes, and whose they are.

    Args:
        metrics: of an evaluation, by names with or without a prefix such as ``coco/``.
        checkpoint: that was evaluated.

    Examples:
        >>> result_line({'coco/bbox_mAP': 0.2084, 'coco/bbox_mAP_s': 0.172}, 'iter_400.pth')
        'result: mAP 0.208, AP_small 0.172, checkpoint iter_400.pth'
    """
    named = {name.rpartition('/')[2]: value for name, value in metrics.items()}
    parts = [f'{name} {named[key]:.3f}' for name, key in SHOWN.items() if key in named]
    parts += [f'checkpoint {checkpoint}'] if checkpoint else []
    return f'result: {", ".join(parts)}'


def training_result(runner: Runner) -> str | None:
    """The line of a training that has ended; None where it evaluated nothing.

    They are those of the last evaluation, and so is the checkpoint, the newest.
    """
    scalars = runner.message_hub.log_scalars
    metrics = {
        name: history.current()
        for name, history in scalars.items()
        if name.startswith('val/') and name.rpartition('/')[2] in SHOWN.values()
    }
    if not metrics:
        return None
    # The pointer of a work dir that was moved names the place where it was
    return result_line(metrics, newest_checkpoint(Path(runner.work_dir))[0])
