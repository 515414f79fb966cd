"""What a study measured as images: accuracy against cost, curves of the training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from .comparison import TITLES, Result, Row
from .variant_table import BASELINE
from .variants import Run

LARGER_INPUT = 'input_'
"""How the names of configs begin that are the baseline at another size of its input."""

YARDSTICK = 'the baseline at other resolutions'
_COLUMNS = 5  # of a legend
_COLOURS = mpl.color_sequences['tab20']


def cost_plot(rows: Sequence[Row], name: str = 'bbox_mAP_small_classes') -> Figure | None:
    """A metric against the cost of training and at inference, by the names of the variants; None
    without costs."""
    axes_of = {'train_ratio': 'training time / baseline', 'gflops': 'GFLOPs at inference'}
    shown = [r for r in rows if name in r.metrics and set(axes_of) <= set(r.costs)]
    if not shown:
        return None
    lines_of_legend = -(-(len(shown) + 1) // _COLUMNS)
    figure = Figure(figsize=(12, 5 + 0.2 * lines_of_legend), layout='constrained')
    for axes, (cost, label) in zip(
        figure.subplots(1, 2, sharey=True), axes_of.items(), strict=True
    ):
        for i, row in enumerate(shown):
            spread = row.metrics[name]
            axes.errorbar(
                row.costs[cost],
                spread.mean,
                yerr=spread.std,
                fmt='o',
                capsize=3,
                color=_COLOURS[i % len(_COLOURS)],
                label=row.variant.name,
            )
        curve = _resolution_curve(shown, cost, name)
        if len(curve) > 1:
            axes.plot(*zip(*curve, strict=True), '--', color='grey', zorder=0, label=YARDSTICK)
        axes.set_xlabel(label)
        axes.grid(alpha=0.3)
    figure.axes[0].set_ylabel(TITLES[name] + ' (bars: standard deviation over seeds)')
    handles, labels = figure.axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc='outside lower center', fontsize=8, ncols=_COLUMNS)
    return figure


def _resolution_curve(rows: Sequence[Row], cost: str, name: str) -> list[tuple[float, float]]:
    """Cost and metric of the baseline at different sizes of its input, the cheapest first."""
    return sorted(
        (row.costs[cost], row.metrics[name].mean)
        for row in rows
        if row.variant.name == BASELINE or row.variant.name.startswith(LARGER_INPUT)
    )


def curve_plot(results: Mapping[Run, Result], names: Sequence[str]) -> Figure | None:
    """Logged values over the training, mean over the seeds of a variant; None without any."""
    curves = {name: _mean_curves(results, name) for name in names}
    curves = {name: by_variant for name, by_variant in curves.items() if by_variant}
    if not curves:
        return None
    columns = min(len(curves), 3)
    lines_of_plots = -(-len(curves) // columns)
    figure = Figure(figsize=(12, 3 * lines_of_plots + 1.5), layout='constrained')
    colour: dict[str, Any] = {}
    grid = list(figure.subplots(lines_of_plots, columns, squeeze=False).flat)
    for axes in grid[len(curves) :]:
        axes.set_visible(False)
    for axes, (name, by_variant) in zip(grid, curves.items(), strict=False):
        for variant, (steps, values) in by_variant.items():
            colour.setdefault(variant, _COLOURS[len(colour) % len(_COLOURS)])
            axes.plot(steps, values, color=colour[variant], label=variant, linewidth=1.2)
        axes.set_title(name)
        axes.set_xlabel('iteration')
        axes.tick_params(labelsize=8, which='both')
        axes.grid(alpha=0.3)
        if 'loss' in name:
            axes.set_yscale('log')
    lines = {str(line.get_label()): line for axes in figure.axes for line in axes.get_lines()}
    figure.legend(
        list(lines.values()), list(lines), loc='outside lower center', fontsize=8, ncols=_COLUMNS
    )
    return figure


def logged_names(results: Mapping[Run, Result], *parts: str) -> list[str]:
    """Names of logged values that contain one of these parts."""
    names = {name for result in results.values() for name in result['curves']}
    return sorted(name for name in names if any(part in name for part in parts))


def _mean_curves(
    results: Mapping[Run, Result], name: str
) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    by_name: dict[str, list[tuple[list, list]]] = {}
    for run, result in sorted(
        results.items(), key=lambda item: (item[0].variant.order, item[0].seed)
    ):
        if name in result['curves']:
            curve = (result['curves']['iteration'], result['curves'][name])
            by_name.setdefault(run.variant.name, []).append(curve)
    means = {}
    for variant, curves in by_name.items():
        steps = np.array(curves[0][0], float)
        values = [np.interp(steps, *_without_gaps(curve)) for curve in curves]
        means[variant] = (steps, np.mean(values, axis=0))
    return means


def _without_gaps(curve: tuple[list, list]) -> tuple[list, list]:
    kept = [(step, value) for step, value in zip(*curve, strict=True) if value is not None]
    return [step for step, _ in kept], [value for _, value in kept]
