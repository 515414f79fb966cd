"""The figures of an evaluation under the names that logs and tools give them."""

from __future__ import annotations

import math
from collections.abc import Sequence

from .coco_figures import CocoFigures

_BY_SIZE = {
    **dict(very_tiny='very_tiny', tiny='tiny', small='small', medium='medium', large='large'),
    **dict(s='s', m='medium', l='large'),  # CocoMetric's names
}


def named_figures(
    figures: CocoFigures, names: Sequence[str], small: Sequence[int], first: int
) -> dict[str, float]:
    """Figures of all areas as :class:`SmallObjectMetric` reports them.

    Args:
        figures: of an evaluation with all of :data:`AREAS`.
        names: of the classes.
        small: labels of the small classes.
        first: detections per image and class that ``bbox_mAP`` looks at; the others take all.

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
    metrics.update({f'bbox_{k}': rounded(v) for k, v in totals.items() if not math.isnan(v)})
    return metrics


def rounded(value: float) -> float:
    """To the four digits that metrics have."""
    return round(value, 4)
