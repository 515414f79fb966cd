"""The metrics of :class:`SmallObjectMetric` as text."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from .average_precision import CocoMetrics

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


def metrics_table(evaluated: CocoMetrics, names: Sequence[str], small_labels: Sequence[int]) -> str:
    """AP per class and size, ``-`` for a size and "no ground truth" for a class without any."""
    header = ['class', 'mAP', 'AP50', 'AP75', *(size.replace('_', ' ') for size in _SIZES)]
    rows = []
    for label, name in enumerate(names):
        if math.isnan(evaluated.ap(label=label)):
            rows.append([name, NO_TRUTH])
        else:
            rows.append([name, *_values(evaluated, label)])
    rows.append(['all', *_values(evaluated, None)])
    if small_labels:
        means = [evaluated.mean_ap(small_labels, iou) for iou in (None, 0.5, 0.75)]
        rows.append(['small classes', *map(_text, means), *[''] * len(_SIZES)])
    return table(header, rows)


def _values(evaluated: CocoMetrics, label: int | None) -> list[str]:
    by_iou = [evaluated.ap(iou, label=label) for iou in (None, 0.5, 0.75)]
    by_size = [evaluated.ap(area=size, label=label) for size in _SIZES]
    return [_text(value) for value in by_iou + by_size]


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
