import json
import math

import numpy as np
import pytest
import torch

from abc_mmdet.errors import UserError
from abc_mmdet.evaluation import SmallObjectMetric

CLASSES = ('car', 'person', 'bicycle', 'tram')


@pytest.fixture
def ann_file(tmp_path) -> str:
    boxes = [
        (1, [10, 10, 40, 30]),
        (2, [60, 10, 8, 16]),
        (2, [80, 40, 6, 12]),
        (3, [5, 60, 20, 12]),
    ]
    content = dict(
        images=[dict(id=1, file_name='a.png', width=128, height=128)],
        annotations=[
            dict(id=i, image_id=1, category_id=c, bbox=b, area=b[2] * b[3], iscrowd=0)
            for i, (c, b) in enumerate(boxes, 1)
        ],
        categories=[dict(id=i, name=name) for i, name in enumerate(CLASSES, 1)],
    )
    path = tmp_path / 'val.json'
    path.write_text(json.dumps(content))
    return str(path)


def evaluate(ann_file: str, small_classes: tuple[str, ...]) -> dict[str, float]:
    metric = SmallObjectMetric(small_classes=small_classes, ann_file=ann_file, metric='bbox')
    metric.dataset_meta = dict(classes=CLASSES)
    # the car and one of two persons are found exactly, the bicycle is not
    detections = dict(
        bboxes=torch.tensor([[10.0, 10, 50, 40], [60, 10, 68, 26], [90, 90, 100, 100]]),
        scores=torch.tensor([0.9, 0.8, 0.7]),
        labels=torch.tensor([0, 1, 2]),
    )
    metric.process({}, [dict(img_id=1, ori_shape=(128, 128), pred_instances=detections)])
    return metric.evaluate(size=1)


def test_mean_over_the_small_classes(ann_file: str) -> None:
    metrics = evaluate(ann_file, ('person', 'bicycle'))
    # one of two persons first: precision 1 at the 51 of 101 recall points up to 0.5
    assert metrics['coco/person_precision'] == pytest.approx(51 / 101, abs=6e-4)
    assert metrics['coco/bicycle_precision'] == 0
    assert metrics['coco/bbox_mAP_small_classes'] == pytest.approx(51 / 202, abs=6e-4)
    assert metrics['coco/bbox_mAP'] == pytest.approx(np.mean([1, 51 / 101, 0]), abs=6e-4)


def test_class_without_ground_truth_is_left_out(ann_file: str) -> None:
    metrics = evaluate(ann_file, ('car', 'tram'))
    assert math.isnan(metrics['coco/tram_precision'])
    assert metrics['coco/bbox_mAP_small_classes'] == 1
    assert 'coco/bbox_mAP_small_classes' not in evaluate(ann_file, ('tram',))


def test_nothing_detected_is_an_ap_of_zero(ann_file: str) -> None:
    metric = SmallObjectMetric(small_classes=('person',), ann_file=ann_file)
    metric.dataset_meta = dict(classes=CLASSES)
    nothing = dict(bboxes=torch.zeros(0, 4), scores=torch.zeros(0), labels=torch.zeros(0).long())
    metric.process({}, [dict(img_id=1, ori_shape=(128, 128), pred_instances=nothing)])
    assert metric.evaluate(size=1)['coco/bbox_mAP'] == 0


def test_unknown_small_class_stops_before_the_evaluation(ann_file: str) -> None:
    metric = SmallObjectMetric(small_classes=('scooter',), ann_file=ann_file)
    with pytest.raises(UserError, match='scooter'):
        metric.dataset_meta = dict(classes=CLASSES)
