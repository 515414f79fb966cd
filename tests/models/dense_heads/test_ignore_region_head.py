"""Ignored regions in the loss: priors counted by hand, and nothing else changed."""

import pytest
import torch
from mmengine.structures import InstanceData
from torch import Tensor

from abc_mmdet.errors import UserError
from abc_mmdet.models import ABCHead, AuxSmallObjectHead, IgnoreRegionYOLOXHead
from mmdet.models.dense_heads import YOLOXHead
from mmdet.registry import MODELS
from mmdet.structures import DetDataSample

OPTIONS = dict(
    num_classes=2,
    in_channels=8,
    feat_channels=8,
    strides=(8, 16),
    train_cfg=dict(assigner=dict(type='FastSimOTAAssigner')),
)
OBJECT = [41.0, 21.0, 51.0, 31.0]
NO_BOXES: list[list[float]] = []


def heads(**options: float) -> tuple[IgnoreRegionYOLOXHead, YOLOXHead]:
    """Ours and the plain one, with the same weights."""
    ours, plain = (
        MODELS.build(dict(type=kind, **OPTIONS, **more))
        for kind, more in (('IgnoreRegionYOLOXHead', options), ('YOLOXHead', {}))
    )
    plain.load_state_dict(ours.state_dict(), strict=True)
    return ours, plain


def sample(objects: list[list[float]], regions: list[list[float]] | None) -> DetDataSample:
    made = DetDataSample(metainfo=dict(img_shape=(64, 96)))
    boxes = torch.tensor(objects).reshape(-1, 4)
    made.gt_instances = InstanceData(bboxes=boxes, labels=torch.zeros(len(boxes)).long())
    if regions is not None:
        made.ignored_instances = InstanceData(bboxes=torch.tensor(regions).reshape(-1, 4))
    return made


def outputs(reg: float = 0.0) -> list[list[Tensor]]:
    """Of a pyramid of 96 x 64 px: every cell predicts a box of its stride's size at its corner."""
    torch.manual_seed(0)
    sizes = [(8, 12), (4, 6)]
    made = [[torch.randn(1, c, *size) for size in sizes] for c in (2, 4, 1)]
    made[1] = [torch.full_like(level, reg) for level in made[1]]
    return [[level.requires_grad_() for level in kind] for kind in made]


def trained(head: YOLOXHead, outs: list, given: DetDataSample) -> list[Tensor]:
    """Per level ``(H, W)``: whether the loss has a gradient for objectness there."""
    ignored = given.get('ignored_instances')
    losses = head.loss_by_feat(*outs, [given.gt_instances], [given.metainfo], [ignored])
    gradients = torch.autograd.grad(sum(losses.values()), outs[2])
    return [gradient[0, 0] != 0 for gradient in gradients]


def test_network_and_names_are_those_of_the_plain_head(pyramid) -> None:
    ours, plain = heads()
    assert {k: v.shape for k, v in ours.state_dict().items()} == {
        k: v.shape for k, v in plain.state_dict().items()
    }
    levels = pyramid((8, 16))
    for mine, theirs in zip(ours(levels), plain(levels), strict=True):
        assert all(torch.equal(a, b) for a, b in zip(mine, theirs, strict=True))


@pytest.mark.parametrize('regions', [None, NO_BOXES], ids=['not given', 'none of them'])
@pytest.mark.parametrize('objects', [[OBJECT], NO_BOXES], ids=['an object', 'no object'])
def test_without_ignored_regions_the_loss_is_the_plain_one(pyramid, regions, objects) -> None:
    ours, plain = heads()
    levels, given = pyramid((8, 16), batch=1), [sample(objects, regions)]
    mine, theirs = ours.loss(levels, given), plain.loss(levels, given)
    assert mine.keys() == theirs.keys()
    for name in mine:
        assert torch.equal(mine[name], theirs[name]), name
    gradients = [
        torch.autograd.grad(sum(losses.values()), head.parameters(), allow_unused=True)
        for head, losses in ((ours, mine), (plain, theirs))
    ]
    assert all(a is b is None or torch.equal(a, b) for a, b in zip(*gradients, strict=True))


def test_objectness_learns_nothing_where_predictions_lie_in_a_region() -> None:
    """Counted by hand: a box of stride s around the corner (s x, s y) of cell (x, y)."""
    ours, plain = heads()
    given = sample(NO_BOXES, [[16.0, 8.0, 48.0, 40.0]])
    fine, coarse = trained(ours, outputs(), given)
    # Stride 8: corners 24, 32, 40 in x and 16, 24, 32 in y are wholly inside; those on a side of
    # the region (16, 48 and 8, 40) are half in it, which is not more than half
    expected = torch.ones(8, 12).bool()
    expected[2:5, 3:6] = False
    assert torch.equal(fine, expected)
    # Stride 16: boxes of 16 px; (32, 16) and (32, 32) reach from 24 to 40 in x and 8 to 24, 24 to
    # 40 in y. Those at x = 16, from 8 to 24, are half in it.
    expected = torch.ones(4, 6).bool()
    expected[1:3, 2] = False
    assert torch.equal(coarse, expected)
    assert all(level.all() for level in trained(plain, outputs(), given))


def test_threshold() -> None:
    given = sample(NO_BOXES, [[16.0, 8.0, 48.0, 40.0]])
    count = {
        threshold: [int((~level).sum()) for level in trained(head, outputs(), given)]
        for threshold in (0.2, 0.49, 0.5, 0.99)
        for head in heads(ignore_iof_thr=threshold)[:1]
    }
    # Stride 8: with the corners of the region, a quarter inside; with its sides, half inside; those
    # wholly inside. Stride 16: with its left and right side, half inside; those wholly inside.
    assert count == {0.2: [25, 6], 0.49: [21, 6], 0.5: [9, 2], 0.99: [9, 2]}


def test_it_is_the_predicted_box_that_counts() -> None:
    """Boxes 3.3 times as large, of which the region can fill no more than a third."""
    given = sample(NO_BOXES, [[16.0, 8.0, 32.0, 24.0]])
    (ours, _) = heads()
    assert sum(int((~level).sum()) for level in trained(ours, outputs(), given)) == 1
    assert all(level.all() for level in trained(ours, outputs(reg=1.2), given))


def test_an_object_in_front_of_a_region_is_learnt() -> None:
    ours, plain = heads()
    region = [32.0, 16.0, 64.0, 48.0]
    given = sample([OBJECT], [region])
    outs = outputs()
    losses, others = (
        head.loss_by_feat(*outs, [given.gt_instances], [given.metainfo], [given.ignored_instances])
        for head in (ours, plain)
    )
    for name in ('loss_cls', 'loss_bbox'):
        assert torch.equal(losses[name], others[name])
    assert losses['loss_obj'] < others['loss_obj']
    (positive, _) = (grad[0].abs().sum(0) > 0 for grad in _class_gradients(losses, outs))
    assert positive.any()
    assert trained(ours, outs, given)[0][positive].all()
    everything = sample([OBJECT], [[-100.0, -100.0, 200.0, 200.0]])
    for learnt, cls in zip(
        trained(ours, outs, everything), _class_gradients(losses, outs), strict=True
    ):
        assert torch.equal(learnt, cls[0].abs().sum(0) > 0), 'nothing but the object is learnt'


def _class_gradients(losses: dict, outs: list) -> tuple[Tensor, ...]:
    return torch.autograd.grad(losses['loss_cls'], outs[0], retain_graph=True)


def test_both_heads_of_abc_heed_regions(pyramid) -> None:
    main = {k: v for k, v in OPTIONS.items() if k != 'num_classes'}
    aux = dict(type='AuxSmallObjectHead', in_channels=8, feat_channels=8, strides=(8,))
    config = dict(type='ABCHead', classes=('a', 'b'), small_classes=('a',), aux_head=aux)
    torch.manual_seed(0)
    head: ABCHead = MODELS.build(dict(config, main_head=dict(type='IgnoreRegionYOLOXHead', **main)))
    levels = pyramid((8, 16), batch=1)
    everything = [[-500.0, -500.0, 500.0, 500.0]]
    ignoring = head.loss(levels, [sample([OBJECT], everything)])
    free = head.loss(levels, [sample([OBJECT], None)])
    for name in ('loss_obj', 'aux_loss_obj'):
        assert ignoring[name] < free[name]
    for name in ('loss_cls', 'loss_bbox', 'aux_loss_cls', 'aux_loss_bbox'):
        assert torch.equal(ignoring[name], free[name])
    nothing = head.loss(levels, [sample(NO_BOXES, everything)])
    assert nothing['loss_obj'] == nothing['aux_loss_obj'] == 0


@pytest.mark.parametrize('kind', [IgnoreRegionYOLOXHead, AuxSmallObjectHead])
@pytest.mark.parametrize('share', [-0.1, 1.0])
def test_a_share_out_of_range(kind: type, share: float) -> None:
    with pytest.raises(UserError, match='ignore_iof_thr'):
        kind(2, 8, feat_channels=8, strides=(8,), ignore_iof_thr=share)
