"""The metrics of a report, row by row."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from abc_mmdet.evaluation.reported_metrics import rounded
from abc_mmdet.evaluation.score_threshold import F1Curve

from .evaluated import Evaluated

SIZES = {
    'very_tiny': 'below 8×8',
    'tiny': '8×8 to 16×16',
    'small': '16×16 to 32×32',
    'medium': '32×32 to 96×96',
    'large': 'above 96×96',
}
SUMMARY = {
    'bbox_mAP': 'mAP',
    'bbox_mAP_50': 'AP50',
    'bbox_mAP_75': 'AP75',
    'bbox_mAP_s': 'AP small',
    'bbox_mAP_small_classes': 'mAP of small classes',
    'bbox_mAP_still': 'mAP, standing still',
    'bbox_mAP_prophesee': 'mAP, Prophesee',
    'bbox_mAP_50_prophesee': 'AP50, Prophesee',
}


@dataclass(frozen=True)
class Metric:
    """A metric and how far it is from the baseline's.

    Args:
        value: None where there is no ground truth.
        difference: None for the baseline, and where there is none.
        interval: 95 % confidence interval of the difference, where it is known.

    Examples:
        >>> metric = Metric(0.4, difference=0.02, interval=(0.01, 0.03))
        >>> metric.trend, metric.is_clear
        ('better', True)
    """

    value: float | None
    difference: float | None = None
    interval: tuple[float, float] | None = None

    @property
    def is_clear(self) -> bool:
        """Whether the interval lies on one side of zero."""
        return self.interval is not None and (self.interval[0] > 0 or self.interval[1] < 0)

    @property
    def trend(self) -> str:
        """``better``, ``worse``, or ``same`` to the digits that are shown."""
        if self.difference is None or abs(self.difference) < 0.0005:
            return 'same'
        return 'better' if self.difference > 0 else 'worse'


@dataclass(frozen=True)
class Row:
    """A line of a table: its name, what it is about in a word, and a metric per column.

    Examples:
        >>> Row('car', '120', [Metric(0.4)]).name
        'car'
    """

    name: str
    note: str
    metrics: list[Metric]


@dataclass(frozen=True)
class ThresholdCell:
    """Best threshold of a class; ``reason`` says why there is none.

    Examples:
        >>> ThresholdCell(reason='no boxes').threshold is None
        True
    """

    threshold: float | None = None
    f1: float | None = None
    precision: float | None = None
    recall: float | None = None
    reason: str = ''


def summary_rows(results: Sequence[Evaluated]) -> tuple[list[str], list[Row]]:
    """Headings, and a row per result. Columns that nobody has a metric for are left out."""
    preset = results[0].test_set.preset
    titles = SUMMARY
    if preset is not None:
        of_preset = {f'bbox_{key}': title for key, title in preset.columns.items()}
        titles = {**of_preset, 'bbox_mAP_small_classes': SUMMARY['bbox_mAP_small_classes']}
    shown = {key: title for key, title in titles.items() if key in results[0].named}
    rows = []
    for result in results:
        metrics = []
        for key in shown:
            metric = _compared(result.named[key], results[0].named[key], result is results[0])
            if result is not results[0]:
                interval = result.interval(results[0], key)
                metric = Metric(metric.value, metric.difference, interval)
            metrics.append(metric)
        rows.append(Row(result.name, result.source, metrics))
    return list(shown.values()), rows


def verdicts(
    headings: Sequence[str], rows: Sequence[Row]
) -> list[tuple[str, list[tuple[str, Metric]]]]:
    """What :func:`summary_rows` knows of the differences to the baseline, per other result."""
    return [
        (
            row.name,
            [(h, f) for h, f in zip(headings, row.metrics, strict=True) if f.interval is not None],
        )
        for row in rows[1:]
    ]


def size_rows(results: Sequence[Evaluated]) -> list[Row]:
    """A row per size of objects, a metric per result."""
    evaluated = results[0].metrics
    counts = evaluated.num_boxes[:, [evaluated.areas.index(size) for size in SIZES]].sum(axis=0)
    return [
        Row(title, str(count), _across(results, lambda r, size=size: r.metrics.ap(area=size)))
        for (size, title), count in zip(SIZES.items(), counts.tolist(), strict=True)
    ]


def class_rows(results: Sequence[Evaluated]) -> list[Row]:
    """A row per class, a metric per result."""
    test = results[0].test_set
    counts = np.bincount(test.labels[test.counted], minlength=len(test.classes))
    return [
        Row(name, str(count), _across(results, lambda r, label=label: r.metrics.ap(label=label)))
        for label, (name, count) in enumerate(zip(test.classes, counts.tolist(), strict=True))
    ]


def threshold_rows(results: Sequence[Evaluated]) -> list[tuple[str, list[ThresholdCell]]]:
    """A row per class and one of all classes together, a cell per result."""
    test = results[0].test_set
    present = set(test.labels[test.counted].tolist())
    rows = []
    for label, name in enumerate(test.classes):
        reason = 'no detections' if label in present else 'no boxes'
        rows.append((name, [_threshold(r.f1_curves[label], reason) for r in results]))
    rows.append(('all classes', [_threshold(r.pooled_f1, 'no detections') for r in results]))
    return rows


def _threshold(curve: F1Curve | None, reason: str) -> ThresholdCell:
    if curve is None:
        return ThresholdCell(reason=reason)
    at = curve.best
    if curve.f1[at] == 0:
        return ThresholdCell(reason='nothing found')
    return ThresholdCell(
        curve.best_threshold,
        float(curve.f1[at]),
        float(curve.precision[at]),
        float(curve.recall[at]),
    )


def _across(results: Sequence[Evaluated], metric: Callable[..., float]) -> list[Metric]:
    values = [rounded(metric(result)) for result in results]
    return [_compared(value, values[0], i == 0) for i, value in enumerate(values)]


def _compared(value: float, baseline: float, is_baseline: bool) -> Metric:
    if math.isnan(value):
        return Metric(None)
    return Metric(value, None if is_baseline or math.isnan(baseline) else value - baseline)
