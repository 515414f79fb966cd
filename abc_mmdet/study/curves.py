"""Curves and cost of a training from what it logged."""

from __future__ import annotations

from collections.abc import Mapping

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
