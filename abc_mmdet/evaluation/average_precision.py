"""Average precision by class and size, from pycocotools or faster-coco-eval."""

from __future__ import annotations

import importlib.util
import io
from collections.abc import Callable, Iterator, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass
from typing import Any

import numpy as np

from abc_mmdet.errors import UserError

BACKENDS = ('auto', 'faster_coco_eval', 'pycocotools')

_NO_LIMIT = 1e10
AREAS = {
    'all': (0.0, _NO_LIMIT),
    'very_tiny': (0.0, 8.0**2),
    'tiny': (8.0**2, 16.0**2),
    'small': (16.0**2, 32.0**2),
    'medium': (32.0**2, 96.0**2),
    'large': (96.0**2, _NO_LIMIT),
    's': (0.0, 32.0**2),
}
"""Box areas in square pixels. As COCO's, borders belong to both sides; ``s`` is COCO's small."""


@dataclass(frozen=True)
class CocoFigures:
    """Average precision of one evaluation; nan where there is no ground truth.

    Args:
        precision: ``(thresholds, recall, classes, areas, max detections)``, -1 for none.
        thresholds: IoU thresholds.
        areas: names of the areas.
        max_dets: detections per image and class that are looked at, increasing.
        num_boxes: ground truth that counts, ``(classes, areas)``.
        recall: the highest, ``(thresholds, classes, areas, max detections)``, -1 for none.
    """

    precision: np.ndarray
    thresholds: np.ndarray
    areas: tuple[str, ...]
    max_dets: tuple[int, ...]
    num_boxes: np.ndarray
    recall: np.ndarray

    def ap(
        self,
        iou: float | None = None,
        area: str = 'all',
        label: int | None = None,
        max_dets: int | None = None,
    ) -> float:
        """Mean over thresholds (or at one), recall and classes (or of one).

        Args:
            iou: one threshold; None takes all.
            area: name of the size.
            label: index of a class; None takes all that have ground truth.
            max_dets: one of :attr:`max_dets`, the largest by default.
        """
        dets = -1 if max_dets is None else self.max_dets.index(max_dets)
        values = self.precision[..., self.areas.index(area), dets]
        if iou is not None:
            values = values[np.isclose(self.thresholds, iou)]
        if label is not None:
            values = values[:, :, label]
        values = values[values > -1]
        return float(values.mean()) if values.size else float('nan')

    def ar(self, area: str = 'all', max_dets: int | None = None) -> float:
        """Mean of the highest recall over thresholds and classes; arguments as of :meth:`ap`."""
        dets = -1 if max_dets is None else self.max_dets.index(max_dets)
        values = self.recall[..., self.areas.index(area), dets]
        values = values[values > -1]
        return float(values.mean()) if values.size else float('nan')

    def mean_ap(self, labels: Sequence[int], iou: float | None = None) -> float:
        """Mean of the AP of some classes, without those that have no ground truth."""
        aps = [self.ap(iou, label=label) for label in labels]
        present = [ap for ap in aps if not np.isnan(ap)]
        return float(np.mean(present)) if present else float('nan')


def backend_of(name: str) -> tuple[Any, Callable]:
    """Classes ``COCO`` and ``COCOeval`` of a backend.

    Raises:
        UserError: unknown, or not installed.
    """
    if name not in BACKENDS:
        raise UserError(f'SmallObjectMetric backend={name!r}: it is one of {BACKENDS}.')
    installed = importlib.util.find_spec('faster_coco_eval') is not None
    if name == 'faster_coco_eval' and not installed:
        raise UserError(
            "SmallObjectMetric backend='faster_coco_eval' is not installed: "
            'pip install faster-coco-eval, or use pycocotools.'
        )
    if installed and name != 'pycocotools':
        from faster_coco_eval import COCO, COCOeval_faster

        return COCO, COCOeval_faster
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    return COCO, COCOeval


def coco_figures(
    images: Sequence[int | str],
    category_ids: Sequence[int | str],
    annotations: Sequence[dict],
    detections: Sequence[dict],
    thresholds: np.ndarray,
    max_dets: Sequence[int],
    areas: Sequence[str] = tuple(AREAS),
    backend: str = 'auto',
) -> CocoFigures:
    """Evaluate boxes as COCO does.

    Args:
        images: ids, numbers or text; what is of no image and category of these is left out.
        category_ids: in the order of the classes.
        annotations: COCO annotations: ``image_id``, ``category_id``, ``bbox`` (x, y, w, h),
            ``area``, and ``iscrowd`` (or ``ignore``) for those that count neither way.
        detections: COCO results: ``image_id``, ``category_id``, ``bbox``, ``score``.
        thresholds: IoU thresholds.
        max_dets: detections per image and class that are looked at.
        areas: names from :data:`AREAS`.
        backend: see :data:`BACKENDS`.
    """
    coco, evaluator = backend_of(backend)
    # Ids may be text, and the backends take numbers alone; the order decides between equal scores
    in_order = sorted(images, key=lambda image: (isinstance(image, str), image))
    image_number = {image: i for i, image in enumerate(in_order)}
    label = {category: i for i, category in enumerate(category_ids)}
    base = dict(
        info={},
        images=[dict(id=i) for i in range(len(images))],
        categories=[dict(id=i, name=str(i)) for i in range(len(category_ids))],
    )

    def numbered_records(records: Sequence[dict]) -> Iterator[dict]:
        for record in records:
            image, category = record['image_id'], record['category_id']
            if image in image_number and category in label:
                ids = dict(image_id=image_number[image], category_id=label[category])
                yield {**record, **ids}

    numbered = [
        {**annotation, 'id': i, 'iscrowd': int(bool(annotation.get('iscrowd')))}  # of any kind
        for i, annotation in enumerate(numbered_records(annotations), 1)
    ]
    numbered_results = [
        {**found, 'id': i, 'iscrowd': 0, 'area': found['bbox'][2] * found['bbox'][3]}
        for i, found in enumerate(numbered_records(detections), 1)
    ]
    with redirect_stdout(io.StringIO()):
        truth, results = coco(), coco()
        truth.dataset = dict(base, annotations=numbered)
        results.dataset = dict(base, annotations=numbered_results)
        truth.createIndex()
        results.createIndex()
        run = evaluator(truth, results, 'bbox')
        run.params.imgIds = list(range(len(images)))
        run.params.catIds = list(range(len(category_ids)))
        run.params.iouThrs = np.asarray(thresholds)
        run.params.maxDets = list(max_dets)
        run.params.areaRng = [list(AREAS[name]) for name in areas]
        run.params.areaRngLbl = list(areas)
        run.evaluate()
        run.accumulate()
    shape = (len(category_ids), len(areas), len(max_dets))
    return CocoFigures(
        np.asarray(run.eval['precision']).reshape(len(run.params.iouThrs), -1, *shape),
        np.asarray(thresholds),
        tuple(areas),
        tuple(sorted(max_dets)),
        count_by_area(numbered, range(len(category_ids)), areas),
        np.asarray(run.eval['recall']).reshape(len(run.params.iouThrs), *shape),
    )


def count_by_area(
    annotations: Sequence[dict], category_ids: Sequence[int], areas: Sequence[str]
) -> np.ndarray:
    """Annotations that count, ``(classes, areas)``."""
    counts = np.zeros((len(category_ids), len(areas)), int)
    row = {category: i for i, category in enumerate(category_ids)}
    for annotation in annotations:
        if annotation.get('iscrowd') or annotation['category_id'] not in row:
            continue
        for column, name in enumerate(areas):
            low, high = AREAS[name]
            counts[row[annotation['category_id']], column] += low <= annotation['area'] <= high
    return counts
