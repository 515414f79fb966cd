"""The metrics of :class:`SmallObjectMetric` as text."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from .average_precision import CocoMetrics
from .presets import Figure, Preset

NO_TRUTH = 'no ground truth'
_SIZES = ('very_tiny', 'tiny', 'small', 'medium', 'large')


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Columns as wide as they need, the first one aligned left; a row of two is a name and text."""
    whole = [list(header), *(list(row) for row in rows if len(row) > 2)]
    widths = [max(map(len, column)) for column in zip(*whole, strict=True)]
    widths[0] = max(widths[0], *(len(row[0]) for row in rows))
    lines = [list(header), *map(list, rows)]
    return '\n'.join(
        '  '.join(
            [line[0].ljust(widths[0])]
            + [text.rjust(width) for text, width in zip(line[1:], widths[1:], strict=False)]
        ).rstrip()
        for line in lines
    )


def metrics_table(
    evaluated: CocoMetrics,
    names: Sequence[str],
    small_labels: Sequence[int],
    preset: Preset | None = None,
) -> str:
    """AP per class and size, ``-`` for a size and "no ground truth" for a class without any.

    Args:
        evaluated: what to show.
        names: of the classes.
        small_labels: of the small classes.
        preset: whose columns there are; None for ours.
    """
    columns = _columns(preset)
    header = ['class', *columns]
    rows = []
    for label, name in enumerate(names):
        if math.isnan(evaluated.ap(label=label)):
            rows.append([name, NO_TRUTH])
        else:
            rows.append([name, *(_text(f.of(evaluated, label)) for f in columns.values())])
    rows.append(['all', *(_text(f.of(evaluated)) for f in columns.values())])
    if small_labels:
        means = [
            '' if f.area else _text(evaluated.mean_ap(small_labels, f.iou))
            for f in columns.values()
        ]
        rows.append(['small classes', *means])
    return table(header, rows)


def _columns(preset: Preset | None) -> dict[str, Figure]:
    """Figures by heading."""
    if preset is not None:
        return {title: preset.all_figures[key] for key, title in preset.columns.items()}
    usual = {'mAP': Figure(), 'AP50': Figure(0.5), 'AP75': Figure(0.75)}
    return {**usual, **{size.replace('_', ' '): Figure(area=size) for size in _SIZES}}


def _text(value: float) -> str:
    return '-' if math.isnan(value) else f'{value:.3f}'


def counts_table(by_protocol: Mapping[str, CocoMetrics], names: Sequence[str]) -> str:
    """How many boxes of the ground truth each protocol counts, per class and size."""
    rows = []
    for protocol, evaluated in by_protocol.items():
        columns = [evaluated.areas.index(size) for size in ('all', *_SIZES)]
        for label, name in enumerate(names):
            counts = evaluated.num_boxes[label, columns]
            rows.append([protocol, name, *map(str, counts)])
        rows.append([protocol, 'all', *map(str, evaluated.num_boxes[:, columns].sum(axis=0))])
    header = ['protocol', 'boxes of', 'all', *(size.replace('_', ' ') for size in _SIZES)]
    return table(header, rows)
