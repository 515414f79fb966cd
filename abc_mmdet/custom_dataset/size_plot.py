"""An image of how large the objects are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from .advice import percent
from .box_sizes import EDGES, BoxSizes, bin_names

_COLOURS = mpl.color_sequences['tab10']
_MOST_CLASSES = 9  # the others share a colour


def size_plot(
    panels: Sequence[tuple[str, BoxSizes]],
    strides: Sequence[int] = (),
    train_only_strides: Sequence[int] = (),
) -> Figure:
    """Histogram of box sizes, a panel per data set, stacked by class, with the model's strides.

    Args:
        panels: title and sizes of each data set, in pixels of the network input.
        strides: of the levels at inference; dashed lines.
        train_only_strides: dotted lines.
    """
    figure = Figure(figsize=(10, 0.6 + 3.2 * len(panels)), layout='constrained')
    grid = figure.subplots(len(panels), 1, squeeze=False)[:, 0]
    groups = _groups([sizes for _, sizes in panels])
    for axes, (title, sizes) in zip(grid, panels, strict=True):
        bottom = np.zeros(len(EDGES))
        for number, (name, classes) in enumerate(groups.items()):
            counts = sizes.histogram([c for c in classes if c in sizes.classes])
            axes.bar(np.arange(len(EDGES)), counts, 0.9, bottom, color=_COLOURS[number], label=name)
            bottom += counts
        for stride in sorted({*strides, *train_only_strides}):
            only = stride not in strides
            share = percent(sizes.share_below(stride))
            place = EDGES.index(stride) - 0.5 if stride in EDGES else _place(stride)
            axes.axvline(place, color='black', linewidth=1, linestyle=':' if only else '--')
            axes.annotate(
                f'stride {stride}\n' + 'in training\n' * only + f'{share}\nbelow',
                (place, 1),
                (3, -3),
                xycoords=('data', 'axes fraction'),
                textcoords='offset points',
                va='top',
                fontsize=8,
            )
        axes.set_ylim(0, max(bottom.max(), 1) * 1.4)
        axes.set_xlim(-0.6, len(EDGES) - 0.4)
        axes.set_xticks(np.arange(len(EDGES)), bin_names(), fontsize=8)
        axes.set_ylabel('boxes')
        axes.set_title(f'{title}: {len(sizes)} boxes', loc='left', fontsize=10)
        axes.legend(fontsize=8, loc='upper left', bbox_to_anchor=(1, 1))
    grid[-1].set_xlabel('size at network resolution (square root of the area), pixels')
    return figure


def _groups(of_panels: Sequence[BoxSizes]) -> dict[str, list[str]]:
    """Classes by colour: the most frequent ones their own, the rest one together."""
    numbers: Counter[str] = Counter()
    for sizes in of_panels:
        numbers.update({name: len(sizes.of_class(name)) for name in sizes.classes})
    names = [name for name, _ in numbers.most_common()]
    if len(names) <= _MOST_CLASSES + 1:
        return {name: [name] for name in names}
    rest = names[_MOST_CLASSES:]
    return {name: [name] for name in names[:_MOST_CLASSES]} | {f'{len(rest)} others': rest}


def _place(stride: float) -> float:
    return float(np.interp(stride, EDGES, np.arange(len(EDGES)))) - 0.5
