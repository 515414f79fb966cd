"""What a training logged, gathered from all its sessions: values, curves, cost."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from abc_mmdet.errors import UserError


def logged_scalars(folder: Path) -> dict[int, dict[str, float]]:
    """Logged values per iteration.

    A run that was stopped has a log per session, and did some iterations twice if it was killed
    between checkpoints; the later session counts.
    """
    entries: dict[int, dict[str, float]] = {}
    # Folders of sessions are named by their time
    for path in sorted(folder.glob('*/vis_data/scalars.json')):
        for line in path.read_text().splitlines():
            try:
                entry = json.loads(line)
            except json.JSONDecodeError:
                continue  # a line that was being written when the process was killed
            if 'loss' in entry:
                entries[entry['step']] = entry
    return dict(sorted(entries.items()))


VALIDATED = ('bbox_mAP', 'bbox_mAP_s', 'bbox_mAP_small_classes')
"""Metrics of the validations that have a curve."""

BINS = 80
"""Points of a curve at most; neighbours are averaged."""


@dataclass(frozen=True)
class Curve:
    """One logged value over the iterations of one run.

    Args:
        run: name of the result.
        key: name of the value in the log.
        steps, values: ``(K,)``.

    Examples:
        >>> Curve('ours', 'loss', np.array([10.0, 20.0]), np.array([1.0, 0.5])).key
        'loss'
    """

    run: str
    key: str
    steps: np.ndarray
    values: np.ndarray


def training_curves(run: str, work_dir: Path) -> list[Curve]:
    """Losses, conflicts and validations of a run, from all its sessions.

    None of the first two if it was too short to log any, none of the last if it did not validate.

    Raises:
        UserError: the folder is no work_dir.
    """
    if not work_dir.is_dir():
        raise UserError(f'--logs {run}={work_dir}: there is no such folder.')
    if not list(work_dir.glob('*/vis_data/scalars.json')):
        raise UserError(
            f'--logs {run}={work_dir}: no log of a training below it. Give the work_dir of '
            'tools/train.py; logs are its files TIME/vis_data/scalars.json.'
        )
    entries = logged_scalars(work_dir)
    names = {name for entry in entries.values() for name in entry}
    keys = sorted(name for name in names if 'loss' in name or 'conflict' in name)
    logged = {key: {s: e[key] for s, e in entries.items() if key in e} for key in keys}
    return [_curve(run, key, points) for key, points in {**logged, **_validated(work_dir)}.items()]


def _validated(work_dir: Path) -> dict[str, dict[int, float]]:
    """Metrics of the validations by name and iteration, later sessions before earlier ones."""
    points: dict[str, dict[int, float]] = {}
    for path in sorted(work_dir.glob('*/vis_data/scalars.json')):
        trained = 0
        for line in path.read_text().splitlines():
            try:
                entry = json.loads(line)
            except json.JSONDecodeError:
                continue  # a line that was being written when the process was killed
            if 'loss' in entry:
                trained = entry['step']
                continue
            # A step of a validation may be the number of an epoch
            step = max(entry.get('step', 0), trained)
            for key, value in entry.items():
                name = key.rpartition('/')[2]
                if name in VALIDATED and isinstance(value, (int, float)) and np.isfinite(value):
                    points.setdefault(name, {})[step] = float(value)
    return {name: dict(sorted(points[name].items())) for name in VALIDATED if name in points}


def _curve(run: str, key: str, logged: dict[int, float]) -> Curve:
    steps, values = np.array(list(logged), float), np.array(list(logged.values()), float)
    parts = min(BINS, len(steps))
    return Curve(
        run,
        key,
        np.array([part.mean() for part in np.array_split(steps, parts)]),
        np.array([part.mean() for part in np.array_split(values, parts)]),
    )


POINTS = 40  # of a curve; more cannot be told apart in a plot


def curves(scalars: Mapping[int, Mapping[str, float]]) -> dict[str, list[float | None]]:
    """Losses and conflicts against ``iteration``, thinned out; None where one was not logged."""
    steps = list(scalars)
    kept = steps[:: max(len(steps) // POINTS, 1)]
    names = sorted({n for e in scalars.values() for n in e if 'loss' in n or 'conflict' in n})
    return {
        'iteration': [float(step) for step in kept],
        **{name: [_rounded(scalars[step].get(name)) for step in kept] for name in names},
    }


def training_cost(scalars: Mapping[int, Mapping[str, float]]) -> dict[str, float]:
    """Time and peak memory of the training, without what pauses and evaluation took.

    Returns:
        ``train_seconds`` on the clock and ``train_cpu_seconds`` of the processor,
        ``peak_memory_mb`` of the GPU or, without one, of the process. None of them if nothing was
        logged.
    """
    if not scalars:
        return {}
    cost = {}
    for key, name in (('time', 'train_seconds'), ('cpu_time', 'train_cpu_seconds')):
        total, before = 0.0, 0
        for step, entry in scalars.items():
            total += entry.get(key, 0.0) * (step - before)
            before = step
        cost[name] = total
    on_gpu = any('memory' in entry for entry in scalars.values())
    peaks = [entry.get('memory' if on_gpu else 'process_mb', 0.0) for entry in scalars.values()]
    return {**cost, 'peak_memory_mb': max(peaks)}


def _rounded(value: float | None) -> float | None:
    return None if value is None else float(f'{value:.4g}')
