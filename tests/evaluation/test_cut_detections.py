"""Detections over the border: cut for COCO's figures, as they are for Prophesee's."""

import numpy as np
import pytest
import torch

from abc_mmdet.evaluation import SmallObjectMetric
from abc_mmdet.evaluation.cut_detections import cut_records

IMAGES = [dict(id=1, width=100, height=80), dict(id=2, width=10, height=10)]


def record(image_id: int, *bbox: float) -> dict:
    return dict(image_id=image_id, bbox=list(bbox), category_id=1, score=0.5)


def test_records_are_cut_in_their_own_image() -> None:
    inside, across, beyond, elsewhere = (
        record(1, 5, 5, 90, 70),
        record(1, -4, 70, 10, 20),
        record(2, 10, 2, 5, 5),
        record(3, -1, -1, 5, 5),
    )
    found = cut_records([inside, across, beyond, elsewhere], IMAGES)
    assert found == [inside, dict(across, bbox=[0, 70, 6, 10]), elsewhere]
    assert found[0] is inside and across['bbox'] == [-4, 70, 10, 20]


@pytest.mark.parametrize(('protocol', 'expected'), [('coco', 1.0), ('prophesee', 0.0)])
def test_a_detection_of_which_half_is_outside(protocol: str, expected: float) -> None:
    """IoU 1 when it is cut; 0.5 as it is, of which no threshold above 0.5 has any."""
    metric = SmallObjectMetric(protocol=protocol, iou_thrs=[0.6])
    metric.dataset_meta = dict(classes=('car',))
    sample = dict(
        img_id=0,
        ori_shape=(240, 304),
        timestamp_us=1_000_000,
        instances=[dict(bbox=[0, 100, 50, 150], bbox_label=0, ignore_flag=0)],
        pred_instances=dict(
            bboxes=torch.tensor([[-50.0, 100, 50, 150]]),
            scores=torch.tensor([0.9]),
            labels=torch.tensor([0]),
        ),
    )
    metric.process({}, [sample])
    assert metric.compute_metrics(metric.results)['bbox_mAP'] == expected


def test_both_protocols_at_once_each_have_their_own() -> None:
    metric = SmallObjectMetric(protocol=('coco', 'prophesee'), iou_thrs=[0.6])
    metric.dataset_meta = dict(classes=('car',))
    images = [dict(id=0, width=304, height=240, timestamp_us=1_000_000)]
    truth = [dict(id=1, image_id=0, category_id=0, bbox=[0, 100, 50, 50], area=2500, iscrowd=0)]
    detections = [dict(image_id=0, category_id=0, bbox=[-50, 100, 100, 50], score=0.9)]
    figures, _ = metric.evaluate_records(images, truth, detections, [0])
    assert (figures['bbox_mAP'], figures['bbox_mAP_prophesee']) == (1.0, 0.0)
    assert np.isclose(detections[0]['bbox'][0], -50)
