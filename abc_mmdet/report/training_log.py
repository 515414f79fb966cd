"""Curves of a training run from its log."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from abc_mmdet.engine.training_log import logged_scalars
from abc_mmdet.errors import UserError

VALIDATED = ('bbox_mAP', 'bbox_mAP_s', 'bbox_mAP_small_classes')
"""Figures of the validations that have a curve."""

BINS = 80
"""Points of a curve at most; neighbours are averaged."""


@dataclass(frozen=True)
class Curve:
    """One logged value over the iterations of one run.

    Args:
        run: name of the result.
        key: name of the value in the log.
        steps, values: ``(K,)``.
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
    """Figures of the validations by name and iteration, later sessions before earlier ones."""
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
