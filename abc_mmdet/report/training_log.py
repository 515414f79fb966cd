"""Curves of a training run from its log."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from abc_mmdet.engine.training_log import logged_scalars
from abc_mmdet.errors import UserError

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
    """Losses and conflicts of a run, from all its sessions; none if it was too short to log any.

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
    return [_curve(run, key, {s: e[key] for s, e in entries.items() if key in e}) for key in keys]


def _curve(run: str, key: str, logged: dict[int, float]) -> Curve:
    steps, values = np.array(list(logged), float), np.array(list(logged.values()), float)
    parts = min(BINS, len(steps))
    return Curve(
        run,
        key,
        np.array([part.mean() for part in np.array_split(steps, parts)]),
        np.array([part.mean() for part in np.array_split(values, parts)]),
    )
