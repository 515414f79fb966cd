"""The figures of an evaluation under the names that logs and tools give them."""

from __future__ import annotations

import math
from collections.abc import Sequence

from abc_mmdet.errors import UserError

from .average_precision import CocoFigures

_BY_SIZE = {
    **dict(very_tiny='very_tiny', tiny='tiny', small='small', medium='medium', large='large'),
    **dict(s='s', m='medium', l='large'),  # CocoMetric's names
}
TOTALS = (
    *('mAP', 'mAP_50', 'mAP_75'),
    *(f'mAP_{key}' for key in _BY_SIZE),
    *('mAP_small_classes', 'mAP_50_small_classes'),
)
"""Figures over all classes, which :func:`named_figures` calls ``bbox_*``."""


def check_items(items: Sequence[str] | None, max_dets: Sequence[int]) -> None:
    """Refuse items of ``metric_items`` that there are not.

    Raises:
        UserError: one of them.
    """
    known = [*TOTALS, *_recall_items(max_dets)]
    unknown = [item for item in items or () if item not in known]
    if unknown:
        raise UserError(f'SmallObjectMetric metric_items={unknown}: known are {known}.')


def named_figures(
    figures: CocoFigures,
    names: Sequence[str],
    small: Sequence[int],
    first: int,
    items: Sequence[str] | None = None,
) -> dict[str, float]:
    """Figures of all areas as :class:`SmallObjectMetric` reports them.

    Args:
        figures: of an evaluation with all of :data:`AREAS`.
        names: of the classes; none leaves out ``NAME_precision``.
        small: labels of the small classes.
        first: detections per image and class that ``bbox_mAP`` looks at; the others take all.
        items: which of ``bbox_*`` there shall be, without this prefix; None: all but recall.

    Returns:
        ``NAME_precision`` of every class, nan without ground truth, and ``bbox_*``; a size without
        ground truth has no figure. Four digits.
    """
    metrics = {
        f'{name}_precision': rounded(figures.ap(label=label)) for label, name in enumerate(names)
    }
    totals = {
        'mAP': figures.ap(max_dets=first),
        'mAP_50': figures.ap(0.5),
        'mAP_75': figures.ap(0.75),
        **{f'mAP_{key}': figures.ap(area=area) for key, area in _BY_SIZE.items()},
        'mAP_small_classes': figures.mean_ap(small),
        'mAP_50_small_classes': figures.mean_ap(small, 0.5),
    }
    recall = {
        item: figures.ar(area, max_dets)
        for item, (area, max_dets) in _recall_items(figures.max_dets).items()
    }
    wanted = totals if items is None else {item: {**totals, **recall}[item] for item in items}
    metrics.update({f'bbox_{k}': rounded(v) for k, v in wanted.items() if not math.isnan(v)})
    return metrics


def _recall_items(max_dets: Sequence[int]) -> dict[str, tuple[str, int]]:
    """Area and number of detections of CocoMetric's figures of recall."""
    last = max(max_dets)
    sizes = dict(s='s', m='medium', l='large')
    return {
        **{f'AR@{number}': ('all', number) for number in max_dets},
        **{f'AR_{key}@{last}': (area, last) for key, area in sizes.items()},
    }


def rounded(value: float) -> float:
    """To the four digits that metrics have."""
    return round(value, 4)
