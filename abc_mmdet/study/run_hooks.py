"""Hooks that the runs of a study have beside those of their config."""

from __future__ import annotations

import resource
import signal
import time
from types import FrameType

from mmengine.hooks import Hook
from mmengine.runner import Runner

from abc_mmdet.engine import AtomicCheckpointHook
from mmdet.registry import HOOKS


class Paused(Exception):
    """A run was asked to stop, has saved a checkpoint and can be resumed from it."""


@HOOKS.register_module()
class PausableCheckpointHook(AtomicCheckpointHook):
    """:class:`AtomicCheckpointHook` that on SIGTERM saves after the current iteration and stops.

    Raises:
        Paused: once the checkpoint is written.
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
    """

    def before_train(self, runner: Runner) -> None:
        self._began = time.process_time()

    def after_train_iter(self, runner: Runner, *args: object, **kwargs: object) -> None:
        now = time.process_time()
        runner.message_hub.update_scalar('train/cpu_time', now - self._began)
        self._began = now
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10  # KiB on Linux
        runner.message_hub.update_scalar('train/process_mb', peak)
