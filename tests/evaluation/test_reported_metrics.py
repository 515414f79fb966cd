"""Names of metrics that are known in advance, against those of an evaluation."""

import pytest
import torch

from abc_mmdet.evaluation import SmallObjectMetric
from abc_mmdet.evaluation.reported_metrics import possible_names
from mmdet.evaluation import CocoMetric, VOCMetric

CLASSES = ('car', 'bus')
EVERY_SIZE = dict(prophesee_min_side=1, prophesee_min_diagonal=1)


def evaluated(metric: SmallObjectMetric) -> set[str]:
    metric.dataset_meta = dict(classes=CLASSES)
    instances = [
        dict(bbox=[1, 1, 1 + side, 1 + side], bbox_label=side % 2, ignore_flag=0, still=True)
        for side in (5, 12, 25, 60, 150)
    ]
    found = dict(
        bboxes=torch.tensor([i['bbox'] for i in instances], dtype=torch.float32),
        scores=torch.full((5,), 0.9),
        labels=torch.tensor([i['bbox_label'] for i in instances]),
    )
    sample = dict(img_id=1, ori_shape=(200, 200), instances=instances, pred_instances=found)
    metric.process({}, [dict(sample, timestamp_us=1_000_000)])
    return set(metric.evaluate(1))


@pytest.mark.parametrize(
    'metric',
    [
        SmallObjectMetric('all'),
        SmallObjectMetric('all', protocol=('coco', 'prophesee'), subsets=('still',), **EVERY_SIZE),
        SmallObjectMetric(['bus'], protocol='prophesee', prefix='mine', **EVERY_SIZE),
    ],
    ids=['coco', 'both protocols', 'another prefix'],
)
def test_they_are_those_of_an_evaluation(metric: SmallObjectMetric) -> None:
    """Of one with boxes of every size, so that no metric is left out."""
    assert evaluated(metric) == set(possible_names([metric], CLASSES))


def test_names_of_coco_metric() -> None:
    names = possible_names([CocoMetric(metric=['bbox', 'proposal_fast'])], CLASSES)
    assert {'coco/bbox_mAP', 'coco/bbox_mAP_l', 'coco/AR@100'} <= set(names)
    named = CocoMetric(metric='segm', metric_items=['mAP'], classwise=True)
    assert set(possible_names([named], CLASSES)) == {
        'coco/segm_mAP',
        'coco/car_precision',
        'coco/bus_precision',
    }


def test_metrics_of_other_kinds_are_not_known() -> None:
    assert possible_names([SmallObjectMetric('all'), VOCMetric()], CLASSES) is None
    assert 'coco/bbox_mAP' in possible_names([SmallObjectMetric('all')], CLASSES)
