"""Which charts a report has."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from abc_mmdet.engine.training_log import VALIDATED, Curve
from abc_mmdet.evaluation.error_kinds import FOREGROUND_IOU

from .charts import Chart, Line, bar_chart, line_chart
from .evaluated import Evaluated
from .tables import SIZES, SUMMARY

RECALLS = np.linspace(0, 1, 101)
_SHORT_SIZES = ('<8', '8–16', '16–32', '32–96', '>96')
CONFLICTS = {
    'cosine': 'Cosine of the two gradients',
    'norm_ratio': 'Auxiliary gradient / main gradient',
    'image_rate': 'Share of images in conflict',
    'location_rate': 'Share of locations in conflict',
    'level_rate': 'Share of levels in conflict',
}


def ap_charts(results: Sequence[Evaluated]) -> list[Chart]:
    """AP by size and by class as bars."""
    test = results[0].test_set
    by_size = [[r.metrics.ap(area=size) for size in SIZES] for r in results]
    charts = [
        bar_chart(
            'AP by size of the object, px',
            _SHORT_SIZES,
            by_size,
            _spoken('AP by size', list(SIZES.values()), results, by_size),
        )
    ]
    if len(test.classes) <= 30:  # more bars could not be told apart; the table has them
        by_class = [[r.metrics.ap(label=i) for i in range(len(test.classes))] for r in results]
        text = _spoken('AP by class', test.classes, results, by_class)
        charts.append(bar_chart('AP by class', test.classes, by_class, text))
    return charts


def precision_recall_charts(results: Sequence[Evaluated]) -> list[Chart]:
    """A chart per class that has ground truth, the small classes first."""
    charts = []
    for label in _present(results[0]):
        lines, words = [], []
        for i, result in enumerate(results):
            at_iou = np.isclose(result.metrics.thresholds, FOREGROUND_IOU)
            if not at_iou.any():
                return []
            area = result.metrics.areas.index('all')
            precision = result.metrics.precision[at_iou, :, label, area, -1][0]
            reached = np.where(precision > 0, precision, np.nan)  # COCO has 0 beyond
            lines.append(Line('', RECALLS, reached, i, i))
            words.append(f'{result.name}: AP50 {precision.mean():.3f}')
        name = result.test_set.classes[label]
        alt = f'Precision against recall of {name} at IoU {FOREGROUND_IOU}. ' + '; '.join(words)
        charts.append(line_chart(name, ('recall', 'precision'), lines, alt, unit_square=True))
    return charts


def f1_charts(results: Sequence[Evaluated]) -> list[Chart]:
    """A chart per class that has ground truth, the best threshold marked."""
    charts = []
    for label in _present(results[0]):
        lines, words = [], []
        for i, result in enumerate(results):
            curve = result.f1_curves[label]
            if curve is None:
                continue
            kept = np.unique([*np.linspace(0, len(curve.f1) - 1, 300).astype(int), curve.best])
            mark = int(np.searchsorted(kept, curve.best))
            lines.append(Line('', curve.thresholds[kept], curve.f1[kept], i, i, mark))
            best = f'{curve.f1[curve.best]:.3f} at {curve.best_threshold:.3f}'
            words.append(f'{result.name}: best {best}')
        name = results[0].test_set.classes[label]
        alt = f'F1 of {name} against the score threshold. ' + ('; '.join(words) or 'No detections')
        charts.append(line_chart(name, ('score threshold', 'F1'), lines, alt, unit_square=True))
    return charts


def conflict_charts(curves: Sequence[Curve], colour: Mapping[str, int]) -> list[Chart]:
    """A chart per measure of conflict; colours are runs, dashes are levels of the pyramid."""
    by_measure: dict[str, list[Curve]] = {}
    levels = sorted({_level(c.key) for c in curves if 'conflict' in c.key}, key=_stride)
    for curve in curves:
        if 'conflict' in curve.key:
            measure = curve.key.split('/')[-1].removeprefix(f'{_level(curve.key)}_')
            by_measure.setdefault(measure, []).append(curve)
    charts = []
    order = [*CONFLICTS, *sorted(set(by_measure) - set(CONFLICTS))]
    for measure in filter(by_measure.__contains__, order):
        lines = []
        drawn = by_measure[measure]
        several_runs = len({c.run for c in drawn}) > 1
        for curve in drawn:
            level = _level(curve.key)
            label = f'stride {_stride(level)}' if level else ''
            if several_runs and label:
                label += f', {curve.run}'
            lines.append(
                Line(label, curve.steps, curve.values, colour[curve.run], levels.index(level))
            )
        title = CONFLICTS.get(measure, measure)
        alt = f'{title} during training. ' + _course(drawn)
        charts.append(
            line_chart(title, ('iteration', measure), lines, alt, zero_line=measure == 'cosine')
        )
    return charts


def validation_charts(curves: Sequence[Curve], colour: Mapping[str, int]) -> list[Chart]:
    """A chart per metric of the validations during training: mAP, and that of small objects."""
    charts = []
    for key in VALIDATED:
        drawn = [curve for curve in curves if curve.key == key]
        if not drawn:
            continue
        title = f'{SUMMARY[key]} over the training'
        lines = [
            Line('', c.steps, c.values, colour[c.run], colour[c.run], int(c.values.argmax()))
            for c in drawn
        ]
        alt = f'{SUMMARY[key]} of the validations during training. ' + _course(drawn)
        charts.append(line_chart(title, ('iteration', SUMMARY[key]), lines, alt))
    return charts


def loss_charts(curves: Sequence[Curve], colour: Mapping[str, int]) -> list[Chart]:
    """A chart per loss, the total first and those of the auxiliary task last."""
    names = sorted({c.key for c in curves if 'conflict' not in c.key} - set(VALIDATED))
    names.sort(key=lambda name: (name != 'loss', name.startswith('aux'), name))
    charts = []
    for name in names:
        drawn = [curve for curve in curves if curve.key == name]
        lines = [Line('', c.steps, c.values, colour[c.run], colour[c.run]) for c in drawn]
        is_positive = all(np.nanmin(c.values) > 0 for c in drawn)
        alt = f'{name} during training. ' + _course(drawn)
        charts.append(line_chart(name, ('iteration', 'loss'), lines, alt, log_scale=is_positive))
    return charts


def _present(result: Evaluated) -> list[int]:
    """Labels with ground truth, the small classes first."""
    test = result.test_set
    present = sorted(set(test.labels[test.counted].tolist()))
    return sorted(present, key=lambda label: label not in test.small)


def _spoken(
    what: str,
    groups: Sequence[str],
    results: Sequence[Evaluated],
    values: Sequence[Sequence[float]],
) -> str:
    def text(value: float) -> str:
        return 'no boxes' if math.isnan(value) else f'{value:.3f}'

    parts = [
        f'{result.name}: ' + ', '.join(f'{g} {text(v)}' for g, v in zip(groups, row, strict=True))
        for result, row in zip(results, values, strict=True)
    ]
    return f'{what}. ' + '; '.join(parts)


def _course(curves: Sequence[Curve]) -> str:
    return '; '.join(
        f'{c.run} {_level(c.key)}: from {c.values[0]:.3g} to {c.values[-1]:.3g}'.replace(' :', ':')
        for c in curves
    )


def _level(key: str) -> str:
    """``s8`` of ``conflict/s8_cosine``; empty if the name has none."""
    first = key.split('/')[-1].split('_')[0]
    return first if first[:1] == 's' and first[1:].isdigit() else ''


def _stride(level: str) -> int:
    return int(level[1:]) if level else 0
