"""Losses of a training: finite, or it stops; in the log the mean over all processes."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import partial, update_wrapper
from pathlib import Path
from typing import Any

import torch
from mmengine.dist import (
    all_gather_object,
    all_reduce,
    broadcast_object_list,
    get_world_size,
    is_main_process,
)
from mmengine.hooks import CheckpointHook, Hook
from mmengine.optim import OptimWrapper
from mmengine.runner import EpochBasedTrainLoop, Runner
from torch import Tensor, nn

from abc_mmdet.engine.checkpoint_files import newest_finite_checkpoint, numbered_checkpoints
from abc_mmdet.engine.placed_samples import sample_names
from abc_mmdet.errors import UserError
from abc_mmdet.utils.wrapped import unwrapped
from mmdet.registry import HOOKS

SKIPPED = 'skipped_batches'  # in the message hub, so that a resumed run goes on counting


@HOOKS.register_module()
class FiniteLossHook(Hook):
    """Stops training at the first loss or gradient that is NaN or infinite.

    It looks at the loss before the backward pass, and at the gradients before the optimizer's step.
    So neither the weights nor a checkpoint ever hold what comes of such a number. The message names
    the losses, the iteration, the images of the batch (in a distributed run those of all
    processes, which stop together) and the newest checkpoint whose weights are finite.

    With ``max_skipped`` so many batches are left out before it stops, as if they had not been
    drawn: no process learns from its part of the batch, the statistics of normalisation are put
    back, nothing is logged, and a :class:`StreamingDetector` begins its recordings anew. Schedules
    go on. While gradients are accumulated, a batch that is left out is replaced by the next one; at
    the end of the run, what is left may be too little for a step.

    Where the loss is scaled for mixed precision, gradients that overflow are the scaler's business:
    it skips the step and tries a smaller scale. A *loss* that is no number is none of the scaler's
    doing, and stops the run there too.

    ``tools/train.py`` gives it to every run
    (:func:`abc_mmdet.apis.standard_config.prepare_run`).

    Args:
        max_skipped: batches that may be left out, over the whole run, resumed or not.

    Raises:
        UserError: a loss or gradient that is no number, or one more than may be left out.

    Examples:
        >>> HOOKS.build(dict(type='FiniteLossHook', max_skipped=10)).max_skipped
        10
    """

    priority = 'HIGHEST'  # before RuntimeInfoHook, which logs the losses

    def __init__(self, max_skipped: int = 0) -> None:
        if max_skipped < 0:
            raise UserError(f'FiniteLossHook max_skipped={max_skipped}: give 0 or more batches.')
        self.max_skipped = max_skipped

    def before_train(self, runner: Runner) -> None:
        """Stand between the model and its optimizer."""
        self._runner = runner
        done = runner.epoch if isinstance(runner.train_loop, EpochBasedTrainLoop) else runner.iter
        if not runner._resume:
            done = 0
        self._others = {  # of earlier runs in the same folder, not of the one that is resumed
            path: path.stat().st_mtime_ns
            for number, path in numbered_checkpoints(_folder(runner))
            if number > done
        }
        model = unwrapped(runner.model)
        self._model: nn.Module = model
        self._losses: dict[str, Any] = {}
        self._names: list[list[str]] = []  # of the batches since the last step
        self._watch = model.register_forward_hook(self._keep_losses)
        self._former: dict[str, Any] = {}
        self._stand_before('update_params', self._update_params)
        if not hasattr(runner.optim_wrapper, 'loss_scaler'):
            self._stand_before('step', self._step)

    def _stand_before(self, name: str, guard: Callable) -> None:
        """Let a method of the optimizer wrapper be called by a guard, which gets it as argument."""
        wrapper: OptimWrapper = self._runner.optim_wrapper
        self._former[name] = method = getattr(wrapper, name)
        # With the attributes of the method: schedulers have marked it as counted
        setattr(wrapper, name, update_wrapper(partial(guard, method), method))

    def after_train(self, runner: Runner) -> None:
        self._watch.remove()
        for name, method in self._former.items():
            setattr(runner.optim_wrapper, name, method)

    def before_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: dict | None = None
    ) -> None:
        self._names.append(sample_names(data_batch))
        self._was_skipped = False
        if self.max_skipped:
            self._buffers = [(buffer, buffer.clone()) for buffer in self._model.buffers()]

    def after_train_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: dict | None = None,
        outputs: dict | None = None,
    ) -> None:
        if self._was_skipped and outputs is not None:
            outputs.clear()

    def _keep_losses(self, model: nn.Module, inputs: Any, output: Any) -> None:
        if isinstance(output, dict):
            self._losses = output

    def _update_params(self, update_params: Any, loss: Tensor, *args: Any, **kwargs: Any) -> None:
        losses, self._losses = self._losses, {}  # whose graph would live on
        if _all_finite(loss.detach()):
            update_params(loss, *args, **kwargs)
            if self._runner.optim_wrapper.should_update():
                self._names.clear()
            return
        values = [*_values(losses), ('loss', loss.item())]
        bad = [f'{name}={value}' for name, value in values if not math.isfinite(value)]
        self._skip_or_stop('The loss is no number', bad[:-1] or bad, self._names.pop())

    def _step(self, step: Any, *args: Any, **kwargs: Any) -> None:
        named = [(n, p.grad) for n, p in self._model.named_parameters() if p.grad is not None]
        # The sum of the norms is finite exactly if all gradients are, and it is one number
        norms = torch.stack([gradient.norm() for _, gradient in named]).float()
        if _all_finite(norms.sum()):
            step(*args, **kwargs)
            return
        bad = [name for (name, _), norm in zip(named, norms, strict=True) if not norm.isfinite()]
        more = f' and {len(bad) - 3} more' if len(bad) > 3 else ''
        what = [f'of {", ".join(bad[:3])}{more}'] if bad else []
        names = [name for batch in self._names for name in batch]
        self._skip_or_stop('The loss is finite, but its gradient is no number', what, names)

    def _skip_or_stop(self, problem: str, what: list[str], names: list[str]) -> None:
        """Undo the batch in all processes, or stop them with the same message."""
        runner = self._runner
        parts = all_gather_object((what, names))
        skipped = runner.message_hub.get_info(SKIPPED, 0)
        report = _report(problem, parts, f'{runner.iter + 1} of {runner.max_iters}')
        if skipped >= self.max_skipped:
            message = [
                report + _advice(runner, self.max_skipped, self._others)
                if is_main_process()
                else None
            ]
            broadcast_object_list(message)
            raise UserError(message[0])
        runner.message_hub.update_info(SKIPPED, skipped + 1)
        runner.logger.warning(
            f'{report}The batch is left out, number {skipped + 1} of at most {self.max_skipped}.'
        )
        self._was_skipped = True
        for buffer, value in self._buffers:
            buffer.copy_(value)
        for module in self._model.modules():
            forget: Callable[[], None] | None = getattr(module, 'forget_streams', None)
            if forget is not None:
                forget()


def _all_finite(number: Tensor) -> bool:
    """Whether a number is finite in all processes."""
    bad = (~number.isfinite()).float()
    all_reduce(bad)
    return bad.item() == 0


def _values(losses: dict[str, Any]) -> list[tuple[str, float]]:
    """Losses by name, as MMEngine adds them up."""
    means = {
        name: value.detach().mean()
        if isinstance(value, Tensor)
        else torch.stack([part.detach().mean() for part in value]).sum()
        for name, value in losses.items()
        if 'loss' in name
    }
    return [(name, value.item()) for name, value in means.items()]


def _report(problem: str, parts: list[tuple[list[str], list[str]]], iteration: str) -> str:
    what = list(dict.fromkeys(text for part, _ in parts for text in part))
    lines = [f'{problem} in iteration {iteration}: {", ".join(what) or "too large"}.\n']
    for process, (_, names) in enumerate(parts):
        owner = f' of process {process}' if len(parts) > 1 else ''
        lines.append(f'  images{owner}: {", ".join(names) or "unknown"}\n')
    return ''.join(lines)


def _folder(runner: Runner) -> Path:
    """Where the run's checkpoints are."""
    hooks = [hook for hook in runner.hooks if isinstance(hook, CheckpointHook)]
    out_dir = hooks[0].out_dir if hooks else None
    if out_dir in (None, runner.work_dir):
        return Path(runner.work_dir)
    # MMEngine appends the name of the work dir when training begins, after this hook
    name = Path(runner.work_dir).name
    return Path(out_dir) if Path(out_dir).name == name else Path(out_dir, name)


def _advice(runner: Runner, max_skipped: int, others: Mapping[Path, int]) -> str:
    checkpoint = newest_finite_checkpoint(_folder(runner), others)
    kept = (
        f'The newest checkpoint whose weights are finite: {checkpoint}\n'
        if checkpoint
        else 'No checkpoint had been written (default_hooks.checkpoint.interval says how often).\n'
    )
    return (
        f'{kept}'
        'Look at these images and their boxes first (tools/analysis_tools/check_dataset.py CONFIG '
        'finds bad ones). If they are fine, training has diverged: lower '
        'optim_wrapper.optimizer.lr, warm up longer, or clip gradients '
        "(optim_wrapper.clip_grad.max_norm); in float16, try dtype='bfloat16'.\n"
        'To leave such batches out, up to a number: --cfg-options '
        f'default_hooks.finite_loss.max_skipped={max(10, 2 * max_skipped)}'
    )


@HOOKS.register_module()
class MeanLossHook(Hook):
    """Logs the mean of each loss over all processes.

    MMEngine logs the losses of the first process, which has seen a part of the batch only. The
    mean is the loss of the whole batch where losses are normalised over all processes, as those of
    YOLOX and of the auxiliary head are; so logs compare with those of a single process.

    Examples:
        >>> config = dict(default_hooks=dict(mean_loss=dict(type='MeanLossHook')))
    """

    priority = 'HIGHEST'  # before RuntimeInfoHook, which logs the losses

    def after_train_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: dict | None = None,
        outputs: dict | None = None,
    ) -> None:
        names = [name for name in outputs or {} if 'loss' in name]
        if get_world_size() == 1 or outputs is None or not names:
            return
        means = torch.stack([outputs[name].detach().float() for name in names])
        all_reduce(means, 'mean')
        outputs.update(zip(names, means, strict=True))
