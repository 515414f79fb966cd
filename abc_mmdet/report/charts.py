"""Charts as images that a page can hold: SVG in a data URI, with a text that says the same."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogFormatter

COLOURS = ('#64748b', '#2563eb', '#ea580c', '#16a34a', '#9333ea', '#db2777', '#0891b2', '#a16207')
"""Of the results in their order, the baseline first."""

DASHES = ('-', (0, (5, 1.6)), (0, (1.4, 1.2)), (0, (5, 1.4, 1.2, 1.4)))

MOST_UPRIGHT = 12
"""Bars that stand side by side in one chart."""

_SIZE = (3.7, 2.75)  # inches: a chart is as wide as a phone, and its letters are readable there
_LOOK: dict[Any, Any] = {
    'font.family': 'DejaVu Sans',
    'font.size': 8.0,
    'axes.titlesize': 9.0,
    'axes.titleweight': 'bold',
    'axes.titlelocation': 'left',
    'axes.edgecolor': '#cbd5e1',
    'axes.labelcolor': '#475569',
    'axes.titlecolor': '#0f172a',
    'axes.spines.top': False,
    'axes.spines.right': False,
    'axes.grid': True,
    'axes.axisbelow': True,
    'grid.color': '#e2e8f0',
    'grid.linewidth': 0.7,
    'xtick.color': '#64748b',
    'ytick.color': '#64748b',
    'text.color': '#0f172a',
    'legend.frameon': False,
    'legend.fontsize': 7.5,
    'svg.hashsalt': 'abc_mmdet',  # equal charts are equal files
}


@dataclass(frozen=True)
class Chart:
    """An image as a data URI and its alternative text.

    Examples:
        >>> bar_chart('AP', ['car'], [[0.5]], 'AP of cars: 0.500').alt
        'AP of cars: 0.500'
    """

    uri: str
    alt: str


@dataclass(frozen=True)
class Line:
    """One line of a chart.

    Args:
        label: in the legend of the chart; empty for none.
        x, y: points.
        colour: place in :data:`COLOURS`.
        dashes: place in :data:`DASHES`.
        mark: place of a point to mark, if any.

    Examples:
        >>> line = Line('ours', [0, 1], [0.2, 0.4], colour=0)
        >>> line_chart('mAP', ('iteration', 'mAP'), [line], 'mAP rises').uri[:18]
        'data:image/svg+xml'
    """

    label: str
    x: Sequence[float] | np.ndarray
    y: Sequence[float] | np.ndarray
    colour: int
    dashes: int = 0
    mark: int | None = None


def line_chart(
    title: str,
    axis_names: tuple[str, str],
    lines: Sequence[Line],
    alt: str,
    unit_square: bool = False,
    log_scale: bool = False,
    zero_line: bool = False,
) -> Chart:
    """Lines over a common axis; ``unit_square`` for values that are shares of both axes."""
    with _figure(_SIZE) as (figure, axes):
        for line in lines:
            colour = COLOURS[line.colour % len(COLOURS)]
            axes.plot(
                line.x,
                line.y,
                color=colour,
                linestyle=DASHES[line.dashes % len(DASHES)],
                linewidth=1.6,
                label=line.label or '_',
                marker='o' if len(line.x) == 1 else None,
            )
            if line.mark is not None:
                at = (line.x[line.mark], line.y[line.mark])
                axes.plot(*at, 'o', color=colour, markersize=5, markeredgecolor='white')
        axes.set(title=title, xlabel=axis_names[0], ylabel=axis_names[1])
        if unit_square:
            axes.set(xlim=(0, 1), ylim=(0, 1.02))
        if log_scale:
            axes.set_yscale('log')
            axes.yaxis.set_major_formatter('{x:g}')
            axes.yaxis.set_minor_formatter(_PlainLogTicks(minor_thresholds=(2, 0.4)))
        if zero_line:
            axes.axhline(0, color='#94a3b8', linewidth=0.9, zorder=0)
        if any(line.label for line in lines):
            axes.legend()
        return Chart(_svg_uri(figure), alt)


def bar_chart(
    title: str, groups: Sequence[str], values: Sequence[Sequence[float]], alt: str
) -> Chart:
    """Bars side by side: a group per name, a bar per result (``values[result][group]``).

    Many of them lie below each other, so that names and bars are as large as in any chart, however
    narrow the page is. nan leaves a gap and says so.
    """
    number = len(groups) * len(values)
    lies = number > MOST_UPRIGHT
    size = (_SIZE[0], 0.75 + 0.14 * number + 0.08 * len(groups)) if lies else _SIZE
    with _figure(size) as (figure, axes):
        width = 0.8 / len(values)
        for i, lengths in enumerate(values):
            at = np.arange(len(groups)) + (i - (len(values) - 1) / 2) * width
            bar = axes.barh if lies else axes.bar
            bar(at, np.nan_to_num(lengths), width * 0.92, color=COLOURS[i % len(COLOURS)])
        empty = [g for g in range(len(groups)) if all(np.isnan(of[g]) for of in values)]
        for group in empty:
            if lies:
                axes.text(0, group, ' no boxes', ha='left', va='center', color='#94a3b8')
            else:
                axes.text(group, 0, 'no boxes', ha='center', va='bottom', color='#94a3b8')
        if lies:
            axes.set_yticks(np.arange(len(groups)), groups)
            axes.set_ylim(len(groups) - 0.5, -0.5)  # the first at the top
            axes.grid(visible=False, axis='y')
            axes.set(title=title, xlabel='AP')
            axes.set_xlim(left=0)
        else:
            axes.set_xticks(np.arange(len(groups)), groups)
            if len(groups) > 6:
                axes.tick_params('x', rotation=40)
            axes.grid(visible=False, axis='x')
            axes.set(title=title, ylabel='AP')
            axes.set_ylim(bottom=0)
        return Chart(_svg_uri(figure), alt)


class _PlainLogTicks(LogFormatter):
    """Labels as few ticks as matplotlib does, but as plain numbers."""

    def __call__(self, x: float, pos: int | None = None) -> str:
        return f'{x:g}' if super().__call__(x, pos) else ''


@contextmanager
def _figure(size: tuple[float, float]) -> Iterator[tuple[Figure, Axes]]:
    with mpl.rc_context(_LOOK):
        figure = Figure(figsize=size, layout='constrained')
        yield figure, figure.subplots()


def _svg_uri(figure: Figure) -> str:
    content = BytesIO()
    figure.savefig(content, format='svg', transparent=True, metadata={'Date': None})
    return 'data:image/svg+xml;base64,' + base64.b64encode(content.getvalue()).decode()
