import pytest
import torch
from mmengine.structures import InstanceData

from abc_mmdet.models.dense_heads import AuxSmallObjectHead
from abc_mmdet.models.task_modules import FastSimOTAAssigner


@pytest.mark.parametrize('num_enhance_convs', [0, 1, 2])
@pytest.mark.parametrize('use_depthwise', [False, True])
def test_shapes(pyramid, num_enhance_convs: int, use_depthwise: bool) -> None:
    head = AuxSmallObjectHead(
        3, 8, feat_channels=6, num_enhance_convs=num_enhance_convs, use_depthwise=use_depthwise
    )
    cls_scores, bbox_preds, objectnesses = head(pyramid((4, 8)))
    assert [tuple(t.shape) for t in cls_scores] == [(2, 3, 16, 24), (2, 3, 8, 12)]
    assert [tuple(t.shape) for t in bbox_preds] == [(2, 4, 16, 24), (2, 4, 8, 12)]
    assert [tuple(t.shape) for t in objectnesses] == [(2, 1, 16, 24), (2, 1, 8, 12)]


def test_enhancement_stands_before_the_head(pyramid) -> None:
    head = AuxSmallObjectHead(1, 8, feat_channels=6).eval()
    levels = pyramid((4, 8))
    enhanced = [conv(level) for conv, level in zip(head.enhance_convs, levels, strict=True)]
    assert [e.shape[1] for e in enhanced] == [6, 6]
    expected = head.forward_single(
        enhanced[1],
        head.multi_level_cls_convs[1],
        head.multi_level_reg_convs[1],
        head.multi_level_conv_cls[1],
        head.multi_level_conv_reg[1],
        head.multi_level_conv_obj[1],
    )
    for outputs, one in zip(head(levels), expected, strict=True):
        assert torch.equal(outputs[1], one)


def test_has_an_assigner_of_its_own(pyramid, samples) -> None:
    head = AuxSmallObjectHead(2, 8)
    assert isinstance(head.assigner, FastSimOTAAssigner)
    other = AuxSmallObjectHead(2, 8, train_cfg=dict(assigner=dict(type='SimOTAAssigner')))
    assert not isinstance(other.assigner, FastSimOTAAssigner)
    other.load_state_dict(head.state_dict())
    levels, gt = pyramid((4, 8)), samples([0, 1, 1], [])
    losses, others = head.loss(levels, gt), other.loss(levels, gt)
    for name, value in losses.items():
        torch.testing.assert_close(value, others[name])


def test_wrong_number_of_levels_is_not_cut_off_silently(pyramid) -> None:
    with pytest.raises(ValueError, match='zip'):
        AuxSmallObjectHead(2, 8)(pyramid((4, 8, 16)))


def test_objectness_is_not_trained_inside_ignored_boxes(pyramid, samples) -> None:
    head, levels = AuxSmallObjectHead(2, 8, strides=(4,)), pyramid((4,), batch=1)
    (sample,) = samples([0])
    sample.gt_instances.bboxes = torch.tensor([[41.0, 21.0, 51.0, 31.0]])
    sample.ignored_instances = InstanceData(bboxes=torch.tensor([[32.0, 16.0, 64.0, 48.0]]))
    outs = [[t.detach().requires_grad_() for t in kind] for kind in head(levels)]
    # Boxes of 4 px around the corners of the cells: none outside is more than half in the region
    outs[1] = [torch.zeros_like(level).requires_grad_() for level in outs[1]]
    losses = head.loss_by_feat(
        *outs, [sample.gt_instances], [sample.metainfo], [sample.ignored_instances]
    )
    sum(losses.values()).backward()
    (objectness,) = outs[2]
    (cls_score,) = outs[0]
    trained = objectness.grad[0, 0] != 0
    positive = cls_score.grad[0].abs().sum(0) > 0
    inside = torch.zeros_like(trained)
    inside[4:12, 8:16] = True
    assert positive.any()
    assert (positive & inside).any(), 'an object in front of an ignored one is still learnt'
    assert torch.equal(trained, ~inside | positive)

    elsewhere = InstanceData(bboxes=torch.zeros(0, 4))
    free = head.loss_by_feat(*outs, [sample.gt_instances], [sample.metainfo], [elsewhere])
    plain = head.loss_by_feat(*outs, [sample.gt_instances], [sample.metainfo])
    assert free == plain
    assert plain['loss_obj'] > losses['loss_obj']
    assert plain['loss_bbox'] == losses['loss_bbox']
