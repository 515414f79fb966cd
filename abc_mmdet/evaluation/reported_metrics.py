"""The metrics of an evaluation as logs and tools give them: by name, and as tables."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from abc_mmdet.errors import UserError
from mmdet.evaluation import CocoMetric

from .average_precision import CocoMetrics
from .presets import PRESETS, Figure, Preset

_BY_SIZE = {
    **dict(very_tiny='very_tiny', tiny='tiny', small='small', medium='medium', large='large'),
    **dict(s='s', m='medium', l='large'),  # CocoMetric's names
}
_OF_SMALL_CLASSES = ('mAP_small_classes', 'mAP_50_small_classes')
TOTALS = ('mAP', 'mAP_50', 'mAP_75', *(f'mAP_{key}' for key in _BY_SIZE), *_OF_SMALL_CLASSES)
"""Metrics over all classes, which :func:`named_metrics` calls ``bbox_*``."""

_COCO = ('mAP', 'mAP_50', 'mAP_75', 'mAP_s', 'mAP_m', 'mAP_l')
_RECALL = ('AR@100', 'AR@300', 'AR@1000', 'AR_s@1000', 'AR_m@1000', 'AR_l@1000')


def check_items(
    items: Sequence[str] | None, max_dets: Sequence[int], protocols: Sequence[str] = ('coco',)
) -> None:
    """Refuse items of ``metric_items`` that none of the protocols has.

    Raises:
        UserError: one of them.
    """
    known = list(dict.fromkeys(item for p in protocols for item in _items(p, max_dets)))
    unknown = [item for item in items or () if item not in known]
    if unknown:
        raise UserError(f'SmallObjectMetric metric_items={unknown}: known are {known}.')


def named_metrics(
    evaluated: CocoMetrics,
    names: Sequence[str],
    small: Sequence[int],
    first: int,
    items: Sequence[str] | None = None,
) -> dict[str, float]:
    """Metrics of all areas as :class:`SmallObjectMetric` reports them.

    Args:
        evaluated: of an evaluation with all of :data:`AREAS`.
        names: of the classes; none leaves out ``NAME_precision``.
        small: labels of the small classes.
        first: detections per image and class that ``bbox_mAP`` looks at; the others take all.
        items: which of ``bbox_*`` there shall be, without this prefix; None: all but recall.

    Returns:
        ``NAME_precision`` of every class, nan without ground truth, and ``bbox_*``; a size without
        ground truth has no metric. Four digits.
    """
    metrics = {
        f'{name}_precision': rounded(evaluated.ap(label=label)) for label, name in enumerate(names)
    }
    totals = {
        'mAP': evaluated.ap(max_dets=first),
        'mAP_50': evaluated.ap(0.5),
        'mAP_75': evaluated.ap(0.75),
        **{f'mAP_{key}': evaluated.ap(area=area) for key, area in _BY_SIZE.items()},
        'mAP_small_classes': evaluated.mean_ap(small),
        'mAP_50_small_classes': evaluated.mean_ap(small, 0.5),
    }
    recall = {
        item: evaluated.ar(area, max_dets)
        for item, (area, max_dets) in _recall_items(evaluated.max_dets).items()
    }
    wanted = totals if items is None else {item: {**totals, **recall}[item] for item in items}
    metrics.update({f'bbox_{k}': rounded(v) for k, v in wanted.items() if not math.isnan(v)})
    return metrics


def _recall_items(max_dets: Sequence[int]) -> dict[str, tuple[str, int]]:
    """Area and number of detections of CocoMetric's metrics of recall."""
    last = max(max_dets)
    sizes = dict(s='s', m='medium', l='large')
    return {
        **{f'AR@{number}': ('all', number) for number in max_dets},
        **{f'AR_{key}@{last}': (area, last) for key, area in sizes.items()},
    }


def _items(protocol: str, max_dets: Sequence[int]) -> list[str]:
    """Every ``bbox_*`` that a protocol has, without this prefix."""
    if protocol in PRESETS:
        return [*PRESETS[protocol].all_figures, *_OF_SMALL_CLASSES]
    return [*TOTALS, *_recall_items(max_dets)]


def rounded(value: float) -> float:
    """To the four digits that metrics have."""
    return round(value, 4)


def possible_names(metrics: Iterable[Any], classes: Sequence[str]) -> list[str] | None:
    """Names of all metrics that these evaluators can report, with their prefix.

    They are known before anything is measured. Not all of them need come: sizes without ground
    truth have no metric.

    Args:
        metrics: of an evaluator.
        classes: names in the data set.

    Returns:
        The names; None if a metric is of another kind, whose names are not known.
    """
    names = []
    for metric in metrics:
        if not isinstance(metric, CocoMetric):
            return None
        prefix = f'{metric.prefix}/' if metric.prefix else ''
        small = hasattr(metric, 'subsets') and metric.metrics == ['bbox']  # SmallObjectMetric
        names += [prefix + name for name in (_small if small else _coco)(metric, classes)]
    return names


def _small(metric: Any, classes: Sequence[str]) -> list[str]:
    others = [f'{name}_precision' for name in classes]
    others += [f'bbox_{name}_{s}' for s in metric.subsets for name in ('mAP', 'mAP_50')]
    names = []
    for protocol in metric.protocols:
        totals = _items(protocol, ()) if protocol in PRESETS else TOTALS
        suffix = '' if protocol == main_protocol(metric.protocols) else f'_{protocol}'
        names += [f'{name}{suffix}' for name in (*(f'bbox_{t}' for t in totals), *others)]
    return names


def main_protocol(protocols: Sequence[str]) -> str:
    """The one whose metrics have plain names."""
    return 'coco' if 'coco' in protocols else protocols[0]


def _coco(metric: CocoMetric, classes: Sequence[str]) -> list[str]:
    recall = [f'AR@{n}' for n in metric.proposal_nums]
    names = [f'{name}_precision' for name in classes] if metric.classwise else []
    for kind in metric.metrics:
        if kind == 'proposal_fast':
            names += recall
        elif kind == 'proposal':
            names += metric.metric_items or _RECALL
        else:
            names += [f'{kind}_{item}' for item in metric.metric_items or _COCO]
    return names


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
