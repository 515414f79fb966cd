"""One result: its detections, read from a file, and all metrics of them that the report shows."""

from __future__ import annotations

import json
import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from abc_mmdet.errors import UserError
from abc_mmdet.evaluation.average_precision import CocoMetrics, coco_metrics
from abc_mmdet.evaluation.bootstrap import difference_interval, resampled_ap
from abc_mmdet.evaluation.error_kinds import (
    FOREGROUND_IOU,
    DetectionErrors,
    Matches,
    detection_errors,
    match_at,
    matches_of_all,
)
from abc_mmdet.evaluation.matching import in_order
from abc_mmdet.evaluation.reported_metrics import named_metrics
from abc_mmdet.evaluation.score_threshold import F1Curve, f1_curve

from .test_set import TestSet

HOW_TO = 'tools/test.py CONFIG CHECKPOINT --out NAME.bbox.json writes such a file.'


def read_detections(path: Path, test_set: TestSet) -> list[dict]:
    """COCO results: ``image_id``, ``category_id``, ``bbox`` (x, y, w, h) and ``score`` of each.

    Args:
        path: the JSON file.
        test_set: what they are detections on.

    Returns:
        The entries; empty if nothing was detected.

    Raises:
        UserError: no such file, another format, images or categories that the data set does not
            have.
    """
    if not path.is_file():
        raise UserError(f'There are no results {path}. {HOW_TO}')
    try:
        content = json.loads(path.read_text())
    except (ValueError, RecursionError) as error:
        raise UserError(f'{path} is no JSON, or was cut off: {error}. {HOW_TO}') from None
    if not isinstance(content, list):
        raise UserError(f'{path} holds no list of detections. {HOW_TO}')
    for number, entry in enumerate(content):
        _check(entry, f'{path}, entry {number}')
    where = f'{path} holds results of another data set than {test_set.source}'
    _check_known({e['image_id'] for e in content}, test_set.known_images, 'images', where)
    _check_known({e['category_id'] for e in content}, test_set.category_ids, 'categories', where)
    return content


def _check(entry: Any, where: str) -> None:
    fields = ('image_id', 'category_id', 'bbox', 'score')
    if not isinstance(entry, dict) or not all(field in entry for field in fields):
        raise UserError(f'{where}: {str(entry)[:80]} is none of COCO results. {HOW_TO}')
    ids = entry['image_id'], entry['category_id']
    if not all(isinstance(value, (int, float, str)) for value in ids):
        raise UserError(f'{where}: image_id and category_id {ids} are no ids. {HOW_TO}')
    box = entry['bbox']
    numbers = [*box, entry['score']] if isinstance(box, list) and len(box) == 4 else [None]
    if not all(isinstance(n, (int, float)) and math.isfinite(n) for n in numbers):
        raise UserError(f'{where}: bbox {box} and score {entry["score"]} are no finite numbers.')


def _check_known(ids: set[int | str], known: Collection[int | str], what: str, where: str) -> None:
    unknown = in_order(ids - set(known))
    if unknown:
        raise UserError(
            f'{where}: {len(unknown)} of its {len(ids)} {what} are not there, the first being '
            f'id {unknown[0]!r}.\n'
            'Give the config and --cfg-options that the results were made with.'
        )


KEPT = ('all', 's')
"""Areas whose matches are kept: those of the intervals, and of the errors."""


@dataclass(frozen=True)
class Evaluated:
    """The detections of one model, evaluated.

    Args:
        name: what the report calls it.
        source: where the detections were read from.
        test_set: what they are detections on.
        detections: COCO results, those that its protocol counts.
        named: metrics as tools/test.py prints them.
        metrics: by class, size and IoU threshold.
        matches: at IoU 0.5.
        resampled: the headline metrics in resamples of the images; none of published presets.
        fixed_threshold: score from which on detections are kept; None for the best of them.

    Examples:
        >>> result = evaluate('ours', 'a.bbox.json', test_set, detections)  # doctest: +SKIP
        >>> result.named['bbox_mAP'], result.errors.counts['Miss']  # doctest: +SKIP
    """

    name: str
    source: str
    test_set: TestSet
    detections: list[dict]
    named: dict[str, float]
    metrics: CocoMetrics
    matches: Matches
    resampled: dict[str, np.ndarray]
    fixed_threshold: float | None = None

    @cached_property
    def f1_curves(self) -> list[F1Curve | None]:
        """Per class."""
        return [f1_curve(self.matches, i) for i in range(len(self.test_set.classes))]

    @cached_property
    def pooled_f1(self) -> F1Curve | None:
        """Of all classes together."""
        return f1_curve(self.matches)

    @cached_property
    def errors(self) -> DetectionErrors:
        """At the fixed threshold, or at that with the best F1 over all classes."""
        threshold = self.fixed_threshold
        if threshold is None:
            threshold = self.pooled_f1.best_threshold if self.pooled_f1 else 0.0
        test = self.test_set
        return detection_errors(
            test.annotations, self.detections, self.matches, len(test.classes), threshold
        )

    def interval(self, baseline: Evaluated, name: str) -> tuple[float, float] | None:
        """95 % confidence interval of the difference to the baseline, over the images."""
        if name not in self.resampled or np.isnan(self.resampled[name]).all():
            return None
        return difference_interval({0: self.resampled[name]}, {0: baseline.resampled[name]})


def evaluate(
    name: str,
    source: str,
    test_set: TestSet,
    detections: Sequence[dict],
    fixed_threshold: float | None = None,
) -> Evaluated:
    """Evaluate the detections of one model; see :class:`Evaluated`.

    They are matched with the ground truth once, by the metric; everything else is of those matches.
    """
    images, annotations = list(test_set.images), test_set.annotations
    categories, max_dets = test_set.category_ids, test_set.max_dets
    counted = test_set.counting(detections)
    if test_set.metric is not None:
        named, by_protocol = test_set.metric.evaluate_records(
            *test_set.everything, detections, categories, KEPT
        )
        metrics = by_protocol[test_set.metric.main_protocol]
    else:
        metrics = coco_metrics(
            images, categories, annotations, counted, test_set.thresholds, max_dets, keep=KEPT
        )
        named = named_metrics(metrics, test_set.classes, test_set.small, max_dets[0])
    # Without small classes their mean would be that of nothing
    small = test_set.small or range(len(test_set.classes))
    table = metrics.matches
    resampled: dict[str, np.ndarray] = {}
    if test_set.preset is None:  # whose AP is none of those that are resampled
        resampled = resampled_ap(table, small, groups=test_set.groups, max_dets=max_dets)
        if not test_set.small:
            del resampled['bbox_mAP_small_classes']
    boxes = categories, annotations, counted
    at_iou = np.flatnonzero(np.isclose(metrics.thresholds, FOREGROUND_IOU))
    if len(at_iou):
        matches = matches_of_all(table['all'], int(at_iou[0]), *boxes)
    else:  # the config evaluates at other thresholds
        matches = match_at(FOREGROUND_IOU, *boxes)
    return Evaluated(
        name, source, test_set, counted, named, metrics, matches, resampled, fixed_threshold
    )
