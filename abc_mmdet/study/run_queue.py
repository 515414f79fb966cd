"""Runs as processes, as many at a time as the machine has room for, until all are done."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO

import torch

from .run import PAUSED, TAKEN
from .run_files import RunFiles, one_line
from .variants import Run


def default_jobs() -> int:
    """One run per GPU, or without one per processor core."""
    return torch.cuda.device_count() or len(os.sched_getaffinity(0))


def default_size() -> str:
    return 'gpu' if torch.cuda.is_available() else 'cpu'


def slot_environment(slot: int, jobs: int) -> dict[str, str]:
    """Variables of a run's process: its GPU, its share of the processor, this checkout."""
    environment = dict(os.environ)
    gpus = torch.cuda.device_count()
    if gpus:
        environment['CUDA_VISIBLE_DEVICES'] = _visible_gpus(gpus)[slot % gpus]
    threads = max(len(os.sched_getaffinity(0)) // jobs, 1)
    environment.setdefault('OMP_NUM_THREADS', str(threads))
    package = str(Path(__file__).parents[2])
    paths = [package, *filter(None, environment.get('PYTHONPATH', '').split(os.pathsep))]
    environment['PYTHONPATH'] = os.pathsep.join(dict.fromkeys(paths))
    return environment


def _visible_gpus(count: int) -> list[str]:
    visible = os.environ.get('CUDA_VISIBLE_DEVICES')
    return visible.split(',') if visible else [str(i) for i in range(count)]


def run_command(facts: str, *arguments: str | Path) -> list[str]:
    """Command line of :mod:`abc_mmdet.study.run`."""
    module = 'abc_mmdet.study.run'
    return [sys.executable, '-W', 'ignore', '-m', module, *map(str, arguments), '--facts', facts]


POLL = 0.2  # seconds
CRASHES = 3  # deaths without an error, such as by the kernel when memory is short, that are tried
RETRY_TAKEN = 30.0  # seconds until a run is tried again that another process has


@dataclass
class _Process:
    run: Run
    handle: subprocess.Popen
    log: TextIO
    slot: int


@dataclass
class QueueResult:
    """What a queue did.

    Args:
        finished, failed: runs of this call.
        left: runs that are still to be done, half-finished ones among them.

    Examples:
        >>> QueueResult().left
        []
    """

    finished: list[Run] = field(default_factory=list)
    failed: list[Run] = field(default_factory=list)
    left: list[Run] = field(default_factory=list)


class RunQueue:
    """Starts each run as a process, ``jobs`` at a time, and watches over them.

    A run's process writes its result itself and holds a lock on its folder, so that queues may be
    killed and started again at any time, and several may work on the same runs. A process ends
    when its queue does: it reads standard input, which closes then.

    Args:
        files: where runs keep their results and what they have begun.
        command: command line and environment of a run in a slot, of which there are ``jobs``.
        jobs: processes at a time.
        seconds: after which all are asked to pause; None for no limit. Processes that do not
            pause by ``seconds + grace`` are killed, and go on from their last checkpoint next time.
        grace: seconds.
        say: takes a line for each event.

    Examples:
        >>> files = RunFiles(Path('results'), Path('work'))
        >>> RunQueue(files, lambda run, slot: (['true'], {}), jobs=2).work([]).finished
        []
    """

    def __init__(
        self,
        files: RunFiles,
        command: Callable[[Run, int], tuple[list[str], dict[str, str]]],
        jobs: int = 1,
        seconds: float | None = None,
        grace: float = 15.0,
        say: Callable[[str], Any] = print,
    ) -> None:
        self.files, self.command, self.jobs, self.say = files, command, jobs, say
        self.deadline = None if seconds is None else time.monotonic() + seconds
        self.grace = grace
        self.stopping = False

    def stop(self) -> None:
        """Let all processes pause; :meth:`work` returns when they have."""
        self.stopping = True

    def work(self, runs: Sequence[Run]) -> QueueResult:
        """Do the runs that are neither done nor failed, begun ones first."""
        result = QueueResult()
        waiting = [run for run in runs if not self.files.is_settled(run)]
        waiting.sort(key=lambda run: not self.files.is_begun(run))  # stable
        not_before: dict[Run, float] = {}
        running: list[_Process] = []
        self.total, self.settled = len(runs), len(runs) - len(waiting)
        while (waiting or running) and not self._time_is_up():
            ready = [run for run in waiting if not_before.get(run, 0) <= time.monotonic()]
            while ready and len(running) < self.jobs:
                run = ready.pop(0)
                waiting.remove(run)
                running.append(self._start(run, self._free_slot(running)))
            if not running and not ready:  # others have all that is left
                break
            time.sleep(POLL)
            for process in [p for p in running if p.handle.poll() is not None]:
                running.remove(process)
                self._settle(process, result, waiting, not_before)
        self._pause(running, result, waiting)
        result.left = [run for run in runs if not self.files.is_settled(run)]
        return result

    def _time_is_up(self) -> bool:
        return self.stopping or (self.deadline is not None and time.monotonic() > self.deadline)

    def _free_slot(self, running: list[_Process]) -> int:
        return min(set(range(self.jobs)) - {process.slot for process in running})

    def _start(self, run: Run, slot: int) -> _Process:
        resumed = self.files.is_begun(run)
        command, environment = self.command(run, slot)
        log = self.files.open_log(run)
        handle = subprocess.Popen(
            command, env=environment, stdin=subprocess.PIPE, stdout=log, stderr=log
        )
        self.say(f'{run.name}: {"continued" if resumed else "started"}')
        return _Process(run, handle, log, slot)

    def _settle(
        self,
        process: _Process,
        result: QueueResult,
        waiting: list[Run],
        not_before: dict[Run, float],
    ) -> None:
        """A process has ended: what became of its run."""
        code, run = process.handle.returncode, process.run
        process.log.close()
        if self.files.is_done(run):
            self.settled += 1
            result.finished.append(run)
            self.say(f'{run.name}: done, {self.settled} of {self.total}')
        elif code == TAKEN:
            not_before[run] = time.monotonic() + RETRY_TAKEN
            waiting.append(run)
            self.say(f'{run.name}: another process is at it')
        elif code == PAUSED or (self._time_is_up() and code == -signal.SIGTERM):
            waiting.append(run)
            self.say(f'{run.name}: paused')
        elif self._is_crash(process) and self.files.count_crash(run) < CRASHES:
            waiting.append(run)
            self.say(f'{run.name}: killed by signal {-code}, tried again')
        else:
            error = self.files.record_failure(run, code)
            self.settled += 1
            result.failed.append(run)
            self.say(f'{run.name}: failed: {one_line(error)} (see {self.files.log(run)})')

    def _is_crash(self, process: _Process) -> bool:
        """Whether a process ended without saying why, as by a signal of the kernel's."""
        return process.handle.returncode < 0 and not self.files.has_error(process.run)

    def _pause(self, running: list[_Process], result: QueueResult, waiting: list[Run]) -> None:
        for process in running:
            process.handle.terminate()
        until = time.monotonic() + self.grace
        for process in running:
            try:
                process.handle.wait(max(until - time.monotonic(), 0))
            except subprocess.TimeoutExpired:
                process.handle.kill()
                process.handle.wait()
                process.log.close()
                self.say(f'{process.run.name}: did not pause in time, killed')
                continue
            self._settle(process, result, waiting, {})
