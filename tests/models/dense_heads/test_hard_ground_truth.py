"""Losses of ground truth that is none, too much or out of shape: finite, and sensible."""

from collections.abc import Sequence

import pytest
import torch
from mmengine.structures import InstanceData
from torch import Tensor

from abc_mmdet.models import ABCHead
from mmdet.registry import MODELS
from mmdet.structures import DetDataSample

SHAPE = (64, 96)  # height, width
STRIDES = (4, 8, 16)
NWD = dict(type='FastSimOTAAssigner', iou_calculator=dict(type='NWDOverlaps2D', constant=12.0))
IOU = dict(mode='square', eps=1e-16, reduction='sum', loss_weight=5.0)
LOSS = dict(type='SizeAwareIoULoss', iou_loss=dict(type='NWDBlendLoss', constant=12.0, **IOU))
BOXES: dict[str, list] = {
    'none': [],
    'one': [[10, 10, 30, 24]],
    'no width': [[20, 10, 20, 30]],
    'a point': [[20, 10, 20, 10]],
    'a point on a prior': [[22, 14, 22, 14]],
    'outside': [[500, 500, 520, 520]],
    'far before the corner': [[-330, -330, -310, -310]],
    'just before the corner': [[-30, -30, -10, -10]],
    'across the border': [[-10, -10, 12, 12]],
    'larger than the image': [[-1000, -1000, 1000, 1000]],
    'of 0.01 pixels': [[20, 10, 20.01, 10.01]],
    'twice the same': [[10, 10, 30, 24]] * 2,
}


def head() -> ABCHead:
    torch.manual_seed(0)
    built = MODELS.build(
        dict(
            type='ABCHead',
            classes=('a', 'b'),
            small_classes=('a',),
            max_area=32**2,
            main_head=dict(
                type='YOLOXHead',
                in_channels=8,
                feat_channels=8,
                strides=STRIDES,
                loss_bbox=LOSS,
                train_cfg=dict(assigner=dict(type='FastSimOTAAssigner')),
            ),
            aux_head=dict(
                type='AuxSmallObjectHead',
                in_channels=8,
                feat_channels=8,
                loss_bbox=LOSS,
                train_cfg=dict(assigner=NWD),
            ),
            arbiter=dict(mode='pcgrad', per='location'),
        )
    )
    built.init_weights()
    built.use_l1 = True  # of the last epochs: logarithms of sides
    return built


def image(
    boxes: Sequence, labels: Sequence[int] | None = None, crowd: Sequence = ()
) -> DetDataSample:
    sample = DetDataSample(
        metainfo=dict(img_shape=SHAPE, pad_shape=SHAPE, ori_shape=SHAPE, batch_input_shape=SHAPE)
    )
    sample.gt_instances = InstanceData(
        bboxes=torch.tensor(boxes, dtype=torch.float32).reshape(-1, 4),
        labels=torch.tensor([0] * len(boxes) if labels is None else labels, dtype=torch.long),
    )
    sample.ignored_instances = InstanceData(
        bboxes=torch.tensor(crowd, dtype=torch.float32).reshape(-1, 4)
    )
    return sample


def learn(model: ABCHead, *images: DetDataSample) -> dict[str, Tensor]:
    """Losses of a batch after their backward pass, in which every parameter has to take part."""
    torch.manual_seed(1)
    levels = [
        torch.randn(len(images), 8, SHAPE[0] // s, SHAPE[1] // s, requires_grad=True)
        for s in STRIDES
    ]
    losses = {k: v for k, v in model.loss(levels, list(images)).items() if 'loss' in k}
    assert set(losses) == {
        f'{task}loss_{part}' for task in ('', 'aux_') for part in ('cls', 'bbox', 'obj', 'l1')
    }
    sum(losses.values()).backward()
    assert all(value.isfinite() for value in losses.values()), losses
    for name, parameter in model.named_parameters():
        # or DistributedDataParallel would wait for it
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
    assert all(level.grad.isfinite().all() for level in levels)
    return losses


@pytest.mark.parametrize('case', BOXES)
def test_losses_and_gradients_are_finite(case: str) -> None:
    alone = learn(head(), image(BOXES[case]))
    assert all(value < 1e4 for value in alone.values()), 'of the size of other losses'
    learn(head(), image(BOXES[case]), image([]))
    learn(head(), image(BOXES[case], labels=[1] * len(BOXES[case])), image(BOXES['one']))


@pytest.mark.parametrize('case', ['none', 'outside', 'far before the corner'])
def test_where_nothing_can_be_found_only_objectness_is_learnt(case: str) -> None:
    losses, nothing = learn(head(), image(BOXES[case])), learn(head(), image([]))
    assert losses == nothing
    assert losses['loss_obj'] > 0 and losses['aux_loss_obj'] > 0
    assert sum(v for k, v in losses.items() if 'obj' not in k) == 0


def test_an_image_without_small_objects_teaches_the_main_task_alone() -> None:
    losses = learn(head(), image([[10, 10, 30, 24]], labels=[1]))
    assert losses['loss_bbox'] > 0
    assert losses['aux_loss_bbox'] == losses['aux_loss_cls'] == losses['aux_loss_l1'] == 0
    assert losses['aux_loss_obj'] > 0


@pytest.mark.parametrize('labels', [0, 1])
def test_two_thousand_boxes(labels: int) -> None:
    corners = torch.rand(2000, 2) * torch.tensor([90.0, 58.0])
    boxes = torch.cat([corners, corners + 1 + 5 * torch.rand(2000, 2)], dim=1).tolist()
    losses = learn(head(), image(boxes, labels=[labels] * 2000))
    assert losses['loss_bbox'] > 0
    assert (losses['aux_loss_bbox'] > 0) == (labels == 0)


def test_crowd_regions_are_no_objects() -> None:
    """The main head takes them for background, as MMDetection's YOLOX; the auxiliary does not."""
    crowded = learn(head(), image([], crowd=[[0, 0, 48, 64]]))
    empty = learn(head(), image([]))
    everywhere = learn(head(), image([], crowd=[[-1, -1, 97, 65]]))
    assert crowded['loss_obj'] == empty['loss_obj']
    assert 0 < crowded['aux_loss_obj'] < empty['aux_loss_obj']
    assert everywhere['aux_loss_obj'] == 0
    for losses in (crowded, everywhere):
        assert losses['loss_bbox'] == losses['aux_loss_bbox'] == 0


@pytest.mark.parametrize('where', ['cls', 'reg', 'obj'])
def test_outputs_that_are_no_numbers_give_a_loss_that_is_none(where: str) -> None:
    """Not an error from inside the assigner, which would not say which batch it was."""
    model = head()
    for task in (model.main_head, model.aux_head):
        for conv in getattr(task, f'multi_level_conv_{where}'):
            torch.nn.init.constant_(conv.bias, torch.nan)
    levels = [torch.randn(1, 8, SHAPE[0] // s, SHAPE[1] // s) for s in STRIDES]
    losses = model.loss(levels, [image(BOXES['one'])])
    part = dict(cls='cls', reg='bbox', obj='obj')[where]
    assert losses[f'loss_{part}'].isnan() and losses[f'aux_loss_{part}'].isnan()
