"""What a machine offers to the runs of a study."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import torch


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
