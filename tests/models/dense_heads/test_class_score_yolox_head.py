"""ClassScoreYOLOXHead against a plain loop over the places of the pyramid."""

import pytest
import torch
from mmengine.config import ConfigDict
from torch import Tensor

from abc_mmdet.deployment.decoding import decode
from abc_mmdet.errors import UserError
from abc_mmdet.models import ABCHead
from abc_mmdet.models.dense_heads import ClassScoreYOLOXHead
from mmdet.models.dense_heads import YOLOXHead
from mmdet.structures import DetDataSample
from mmdet.structures.bbox import bbox_overlaps

STRIDES = (8, 16)
THRESHOLD = 0.2
TEST_CFG = ConfigDict(score_thr=THRESHOLD, nms=dict(type='nms', iou_threshold=0.45, max_num=-1))


def outputs(batch: int = 2, classes: int = 3) -> list[list[Tensor]]:
    generator = torch.Generator().manual_seed(0)
    sizes = [(8, 12), (4, 6)]
    return [
        [torch.randn(batch, channels, *size, generator=generator) for size in sizes]
        for channels in (classes, 4, 1)
    ]


def expected(kinds: list[list[Tensor]], image: int, scale: float) -> list[tuple]:
    """Box, label and class score of every detection, best product of scores first."""
    places = []
    for stride, cls, reg, obj in zip(STRIDES, *kinds, strict=True):
        for row in range(cls.shape[2]):
            for column in range(cls.shape[3]):
                scores = cls[image, :, row, column].sigmoid()
                x, y, w, h = reg[image, :, row, column].tolist()
                x, y = (x + column) * stride, (y + row) * stride
                w, h = (float(torch.tensor(side).exp()) * stride / 2 for side in (w, h))
                product = float(scores.max() * obj[image, 0, row, column].sigmoid())
                box = [side / scale for side in (x - w, y - h, x + w, y + h)]
                places.append((product, box, int(scores.argmax()), float(scores.max())))
    kept: list[tuple] = []
    for product, box, label, score in sorted(places, reverse=True):
        if product < THRESHOLD:
            break
        same = torch.tensor([other for other, kind, _ in kept if kind == label]).reshape(-1, 4)
        if not (bbox_overlaps(torch.tensor([box]), same) > 0.45).any():
            kept.append((box, label, score))
    return kept


@pytest.mark.parametrize('scale', [1.0, 0.5])
def test_ranked_by_class_score(scale: float) -> None:
    head = ClassScoreYOLOXHead(3, 8, feat_channels=8, strides=STRIDES, test_cfg=TEST_CFG)
    metas = [dict(scale_factor=(scale, scale))] * 2
    kinds = outputs()
    found = head.predict_by_feat(*kinds, metas, rescale=True)
    for image, detections in enumerate(found):
        boxes, labels, scores = zip(*expected(kinds, image, scale), strict=True)
        assert len(detections) > 20
        torch.testing.assert_close(detections.bboxes, torch.tensor(boxes), rtol=1e-4, atol=1e-3)
        assert detections.labels.tolist() == list(labels)
        torch.testing.assert_close(detections.scores, torch.tensor(scores))
        assert set(detections.keys()) == {'bboxes', 'labels', 'scores'}
    plain = YOLOXHead(3, 8, feat_channels=8, strides=STRIDES, test_cfg=TEST_CFG)
    for ours, theirs in zip(found, plain.predict_by_feat(*kinds, metas, rescale=True), strict=True):
        assert torch.equal(ours.bboxes, theirs.bboxes), 'the same detections'
        assert (ours.scores > theirs.scores).all()


def test_predictions_that_are_no_numbers_are_left_out() -> None:
    head = ClassScoreYOLOXHead(3, 8, feat_channels=8, strides=STRIDES, test_cfg=TEST_CFG)
    kinds = outputs(batch=1)
    kinds[0][0][0, :, 0] = torch.nan
    kinds[2][1][0, :, 0] = torch.nan
    (found,) = head.predict_by_feat(*kinds, [{}])
    assert len(found) and found.scores.isfinite().all()


def test_it_can_be_the_main_head_and_is_not_exported(pyramid) -> None:
    main = dict(type='ClassScoreYOLOXHead', in_channels=8, feat_channels=8, strides=STRIDES)
    head = ABCHead(main, ('a', 'b'), test_cfg=TEST_CFG)
    levels = pyramid(STRIDES, batch=1)
    sample = DetDataSample(metainfo=dict(img_shape=(64, 96), scale_factor=(1.0, 1.0)))
    head.predict(levels, [sample])
    with pytest.raises(UserError, match='ClassScoreYOLOXHead cannot be exported'):
        decode(head.main_head, head(levels), None)
