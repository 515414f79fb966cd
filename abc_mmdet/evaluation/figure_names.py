"""Which figures a metric can report, known before it has measured anything."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from mmdet.evaluation import CocoMetric

from .metric_names import TOTALS
from .small_object_metric import SmallObjectMetric

_COCO = ('mAP', 'mAP_50', 'mAP_75', 'mAP_s', 'mAP_m', 'mAP_l')
_RECALL = ('AR@100', 'AR@300', 'AR@1000', 'AR_s@1000', 'AR_m@1000', 'AR_l@1000')


def possible_names(metrics: Iterable[Any], classes: Sequence[str]) -> list[str] | None:
    """Names of all figures that these metrics can report, with their prefix.

    Not all of them need come: sizes without ground truth have no figure.

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
        small = isinstance(metric, SmallObjectMetric) and metric.metrics == ['bbox']
        names += [prefix + name for name in (_small if small else _coco)(metric, classes)]
    return names


def _small(metric: SmallObjectMetric, classes: Sequence[str]) -> list[str]:
    names = [f'bbox_{name}' for name in TOTALS] + [f'{name}_precision' for name in classes]
    subsets = [f'bbox_{name}_{s}' for s in metric.subsets for name in ('mAP', 'mAP_50')]
    second = [f'{name}_prophesee' for name in names + subsets] if len(metric.protocols) > 1 else []
    return names + subsets + second


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
