"""The bootstrap of a variant has the matches that its metrics are computed from."""

import numpy as np
import pytest
import torch

from abc_mmdet.evaluation.bootstrap import HEADLINE, headline_ap
from abc_mmdet.study.evaluate import MatchedObjectMetric


@pytest.mark.parametrize(
    ('protocol', 'expected'),
    [('coco', 1.0), (('coco', 'prophesee'), 1.0), ('prophesee', 0.0)],
    ids=['coco', 'both', 'prophesee'],
)
def test_matches_are_those_of_the_protocol(
    protocol: str | tuple[str, ...], expected: float
) -> None:
    """A detection that is right inside its image, and reaches 25 pixels beyond it (IoU 4 / 9)."""
    limits = dict(prophesee_min_side=5, prophesee_min_diagonal=5)
    metric = MatchedObjectMetric(protocol=protocol, iou_thrs=[0.5], **limits)
    metric.dataset_meta = dict(classes=('car',))
    sample = dict(
        img_id=0,
        ori_shape=(100, 100),
        timestamp_us=600_000,
        instances=[dict(bbox=[80, 40, 100, 60], bbox_label=0, ignore_flag=0)],
        pred_instances=dict(
            bboxes=torch.tensor([[80.0, 40, 125, 60]]),
            scores=torch.tensor([0.9]),
            labels=torch.tensor([0]),
        ),
    )
    metric.process({}, [sample])
    metrics = {name.rpartition('/')[2]: value for name, value in metric.evaluate(1).items()}
    resampled = headline_ap(metric.matches, np.ones((1, 1), int), [0], metric.max_dets)
    for name in HEADLINE:
        assert metrics[name] == pytest.approx(expected), name
        assert resampled[name] == pytest.approx(expected), name
