"""Decoding of all places against the heads' own, place by place."""

import pytest
import torch
from mmengine.config import ConfigDict

from abc_mmdet.deployment.decoding import Candidates, decode
from abc_mmdet.errors import UserError
from mmdet.registry import MODELS

STRIDES = [8, 16, 32]
SIZE = (64, 96)  # height, width
ANCHORS = dict(
    type='AnchorGenerator', ratios=[1.0], octave_base_scale=4, scales_per_octave=1, strides=STRIDES
)
POINTS = dict(type='MlvlPointGenerator', offset=0, strides=STRIDES)
BN = dict(type='BN')
DISTANCES = dict(type='DistancePointBBoxCoder')
HEADS = {
    'YOLOXHead': dict(strides=STRIDES, stacked_convs=1),
    'GFLHead': dict(stacked_convs=1, anchor_generator=ANCHORS, norm_cfg=BN, reg_max=4),
    'ATSSHead': dict(stacked_convs=1, anchor_generator=ANCHORS, norm_cfg=BN),
    'RetinaHead': dict(
        stacked_convs=1, anchor_generator=dict(ANCHORS, ratios=[0.5, 2.0], scales_per_octave=2)
    ),
    'RTMDetSepBNHead': dict(
        stacked_convs=1, anchor_generator=POINTS, bbox_coder=DISTANCES, with_objectness=False
    ),
    'FCOSHead': dict(
        strides=STRIDES,
        stacked_convs=1,
        norm_cfg=BN,
        regress_ranges=((-1, 64), (64, 128), (128, 1e8)),
    ),
}


@pytest.mark.parametrize('kind', HEADS)
def test_all_places_are_decoded_as_the_head_does(kind: str, pyramid) -> None:
    number = 3
    options = dict(type=kind, num_classes=number, in_channels=8, feat_channels=8, **HEADS[kind])
    cfg = ConfigDict(score_thr=0.0, nms_pre=10_000, nms=dict(type='nms', iou_threshold=1.0))
    head = MODELS.build(dict(options, train_cfg=None, test_cfg=cfg)).eval()
    head.init_weights()
    features = [level * 3 for level in pyramid(STRIDES)]
    with torch.no_grad():
        outputs = head(features)
        decoded = decode(head, outputs, torch.tensor([SIZE, SIZE]))
        boxes, scores = decoded.boxes, decoded.scores
        meta = dict(img_shape=SIZE, scale_factor=(1.0, 1.0))
        expected = head.predict_by_feat(*outputs, batch_img_metas=[meta] * 2, with_nms=False)
    for i, theirs in enumerate(expected):
        if kind == 'YOLOXHead':  # the best class of each place
            best, labels = scores[i].max(dim=-1)
            assert torch.equal(theirs.labels, labels)
            assert torch.allclose(theirs.scores, best, atol=1e-6)
            assert torch.allclose(theirs.bboxes, boxes[i], atol=1e-4)
            continue
        order = torch.argsort(theirs.scores, descending=True)[:50]
        places = [
            ((boxes[i] - box).abs().amax(1) + (scores[i, :, label] - score).abs()).min()
            for box, score, label in zip(
                theirs.bboxes[order], theirs.scores[order], theirs.labels[order], strict=True
            )
        ]
        assert len(theirs) == scores[i].numel()
        assert max(places) < 1e-3
        assert torch.allclose(
            theirs.scores.sort().values, scores[i].flatten().sort().values, atol=1e-5
        )


@pytest.mark.parametrize('kind', HEADS)
def test_candidates_are_those_of_the_head(kind: str, pyramid) -> None:
    """Few per level, in images of which a part is padding."""
    options = dict(type=kind, num_classes=3, in_channels=8, feat_channels=8, **HEADS[kind])
    cfg = ConfigDict(
        score_thr=0.002, nms_pre=20, min_bbox_size=0, nms=dict(type='nms', iou_threshold=1.0)
    )
    head = MODELS.build(dict(options, train_cfg=None, test_cfg=cfg)).eval()
    head.init_weights()
    shapes = [(40, 90), (64, 50)]
    with torch.no_grad():
        outputs = head([level * 30 for level in pyramid(STRIDES)])
        decoded = decode(head, outputs, torch.tensor(shapes))
        scores = Candidates.of(head)(decoded)
        metas = [dict(img_shape=shape, scale_factor=(1.0, 1.0)) for shape in shapes]
        expected = head.predict_by_feat(*outputs, batch_img_metas=metas, with_nms=False)
    for i, theirs in enumerate(expected):
        assert len(theirs) > 1
        assert len(theirs) < scores[i].numel(), 'some are left out'
        places, labels = torch.nonzero(scores[i] > 0, as_tuple=True)
        found = torch.cat([decoded.boxes[i, places], scores[i, places, labels][:, None]], dim=1)
        wanted = torch.cat([theirs.bboxes, theirs.scores[:, None]], dim=1)
        assert sorted(labels.tolist()) == sorted(theirs.labels.tolist())
        assert len(found) == len(wanted)
        for box in wanted:
            near = torch.isclose(found, box, rtol=1e-4, atol=1e-4).all(dim=1)
            assert near.any(), box


def test_other_heads_are_refused(pyramid) -> None:
    head = MODELS.build(dict(type='CenterNetHead', in_channels=8, feat_channels=8, num_classes=2))
    with pytest.raises(UserError, match='CenterNetHead cannot be exported'):
        decode(head, head([pyramid([8])[0]]), None)
