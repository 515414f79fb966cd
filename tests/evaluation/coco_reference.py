"""The same evaluation by pycocotools, which knows nothing of this package."""

import io
from contextlib import redirect_stdout

import numpy as np
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from abc_mmdet.evaluation.average_precision import CocoMetrics
from abc_mmdet.evaluation.matching import AREAS


def run_pycocotools(
    images: list[int],
    category_ids: list[int],
    annotations: list[dict],
    detections: list[dict],
    thresholds: np.ndarray,
    max_dets: tuple[int, ...],
    areas: tuple[str, ...] = tuple(AREAS),
) -> COCOeval:
    """Evaluated and accumulated; ids of annotations and detections are their places plus 1."""
    label = {category: i for i, category in enumerate(category_ids)}
    base = dict(
        images=[dict(id=i) for i in images], categories=[dict(id=i) for i in label.values()]
    )
    truth = [
        {**a, 'id': i, 'category_id': label[a['category_id']], 'iscrowd': a.get('iscrowd', 0)}
        for i, a in enumerate(annotations, 1)
    ]
    found = [
        {**d, 'id': i, 'category_id': label[d['category_id']], 'area': d['bbox'][2] * d['bbox'][3]}
        for i, d in enumerate(detections, 1)
    ]
    with redirect_stdout(io.StringIO()):
        sides = []
        for records in (truth, found):
            side = COCO()
            side.dataset = dict(base, annotations=[dict(record) for record in records])
            side.createIndex()
            sides.append(side)
        run = COCOeval(*sides, 'bbox')
        run.params.imgIds = list(images)
        run.params.catIds = list(label.values())
        run.params.iouThrs = np.asarray(thresholds)
        run.params.maxDets = list(max_dets)
        run.params.areaRng = [list(AREAS[name]) for name in areas]
        run.params.areaRngLbl = list(areas)
        run.evaluate()
        run.accumulate()
    return run


def metrics_by_pycocotools(*args, areas: tuple[str, ...] = tuple(AREAS)) -> CocoMetrics:
    """As :func:`coco_metrics`; without the numbers of boxes, which pycocotools does not tell."""
    run = run_pycocotools(*args, areas)
    max_dets = tuple(run.params.maxDets)
    nothing = np.zeros((len(run.params.catIds), len(areas)), int)
    return CocoMetrics(
        run.eval['precision'], run.params.iouThrs, areas, max_dets, nothing, run.eval['recall']
    )
