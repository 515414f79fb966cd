"""Box losses that tell small boxes apart."""

import pytest
import torch

from abc_mmdet.errors import UserError
from abc_mmdet.models.losses import NWDBlendLoss, SizeAwareIoULoss
from abc_mmdet.models.wasserstein import aligned_nwd
from mmdet.models.losses import GIoULoss, IoULoss
from mmdet.registry import MODELS


@pytest.mark.parametrize(
    ('around', 'field'), [('SizeAwareIoULoss', 'iou_loss'), ('NWDBlendLoss', 'box_loss')]
)
def test_losses_with_four_numbers_a_box_are_refused(around: str, field: str) -> None:
    for kind in ('BoundedIoULoss', 'L1Loss', 'SmoothL1Loss', 'MSELoss'):
        with pytest.raises(UserError, match=f'{around} {field}={kind} does not give one'):
            MODELS.build({'type': around, field: dict(type=kind)})
    for kind in ('IoULoss', 'GIoULoss', 'DIoULoss', 'CIoULoss', 'EIoULoss'):
        MODELS.build({'type': around, field: dict(type=kind)})
    blend = dict(type='NWDBlendLoss', box_loss=dict(type='GIoULoss'))
    MODELS.build(dict(type='SizeAwareIoULoss', iou_loss=blend))


YOLOX = dict(mode='square', eps=1e-16, reduction='sum', loss_weight=5.0)


def boxes(n: int = 40) -> tuple[torch.Tensor, torch.Tensor]:
    corner = torch.rand(n, 2) * 100
    target = torch.cat([corner, corner + 2 + torch.rand(n, 2) * 60], dim=1)
    return target + torch.randn(n, 4), target


@pytest.mark.parametrize('reduction', ['none', 'mean', 'sum'])
@pytest.mark.parametrize('with_weight', [None, 1, 4])
def test_is_the_weighted_mean_of_both_for_small_boxes(reduction: str, with_weight) -> None:
    pred, target = boxes()
    pred.requires_grad_()
    weight = {None: None, 1: torch.rand(40), 4: torch.rand(40, 1).expand(40, 4)}[with_weight]
    options = {**YOLOX, 'reduction': reduction}
    loss = NWDBlendLoss(share=0.3, max_area=400.0, constant=15.0, **options)
    value = loss(pred, target, weight=weight)

    iou = IoULoss(**{**options, 'reduction': 'none'})(pred, target)
    nwd = 5.0 * (1 - aligned_nwd(pred, target, 15.0))
    area = (target[:, 2] - target[:, 0]) * (target[:, 3] - target[:, 1])
    assert 5 < (area <= 400).sum() < 35
    by_hand = torch.stack(
        [0.7 * i + 0.3 * n if a <= 400 else i for i, n, a in zip(iou, nwd, area, strict=True)]
    )
    if weight is not None:
        by_hand = by_hand * (weight if weight.dim() == 1 else weight[:, 0])
    if reduction != 'none':
        by_hand = getattr(by_hand, reduction)()
    torch.testing.assert_close(value, by_hand)
    value.sum().backward()
    assert pred.grad.isfinite().all()


def test_extremes_of_the_share() -> None:
    pred, target = boxes()
    only_box = NWDBlendLoss(dict(type='GIoULoss'), share=0.0, constant=9.0)
    torch.testing.assert_close(only_box(pred, target), GIoULoss()(pred, target))
    only_nwd = NWDBlendLoss(share=1.0, max_area=None, constant=9.0, reduction='none')
    torch.testing.assert_close(only_nwd(pred, target), 1 - aligned_nwd(pred, target, 9.0))


def test_missed_tiny_box_still_has_a_gradient() -> None:
    pred = torch.tensor([[0.0, 0.0, 4.0, 4.0]], requires_grad=True)
    target = torch.tensor([[6.0, 6.0, 10.0, 10.0]])
    assert torch.autograd.grad(IoULoss(**YOLOX)(pred, target), pred)[0].abs().sum() == 0
    blend = NWDBlendLoss(constant=8.0, **YOLOX)(pred, target)
    (gradient,) = torch.autograd.grad(blend, pred)
    assert (gradient < 0).all(), 'downhill is to the right and down'


def test_inside_the_size_aware_loss() -> None:
    pred, target = boxes()
    inner = dict(type='NWDBlendLoss', constant=15.0)
    loss = MODELS.build(dict(type='SizeAwareIoULoss', iou_loss=inner, **YOLOX))
    each = NWDBlendLoss(constant=15.0, **{**YOLOX, 'reduction': 'none'})(pred, target)
    expected = (each * SizeAwareIoULoss().size_weight(target)).sum()
    torch.testing.assert_close(loss(pred, target), expected)
    averaged = MODELS.build(dict(type='SizeAwareIoULoss', iou_loss=inner))
    assert averaged(pred, target, avg_factor=7.0).isfinite()


@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16])
def test_half_precision(dtype: torch.dtype) -> None:
    target = torch.tensor([[0.0, 0, 900, 500], [700, 300, 708, 306]])
    pred = (target + 2).to(dtype).requires_grad_()
    value = NWDBlendLoss(constant=10.0, **YOLOX)(pred, target.to(dtype))
    value.backward()
    assert value.isfinite()
    assert pred.grad.isfinite().all()
    exact = NWDBlendLoss(constant=10.0, **YOLOX)(pred.double(), target.double())
    assert value.item() == pytest.approx(exact.item(), rel=2e-2)


def test_equal_and_degenerate_boxes_have_finite_gradients() -> None:
    target = torch.tensor([[5.0, 5, 9, 9], [5, 5, 5, 5], [5, 5, 5, 9]])
    pred = target.clone().requires_grad_()
    NWDBlendLoss(constant=10.0, **YOLOX)(pred, target).backward()
    assert pred.grad.isfinite().all()


def test_no_boxes() -> None:
    nothing = torch.zeros(0, 4)
    assert NWDBlendLoss(constant=10.0, reduction='sum')(nothing, nothing) == 0


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (dict(share=1.5), 'share=1.5'),
        (dict(max_area=0), 'max_area=0'),
        (dict(constant=-1.0), 'constant=-1.0'),
        (dict(box_loss=dict(type='SizeAwareIoULoss')), 'goes around'),
    ],
)
def test_wrong_options_are_refused(options: dict, message: str) -> None:
    with pytest.raises(UserError, match=message):
        NWDBlendLoss(**options)
    with pytest.raises(UserError, match='nobody has measured it'):
        NWDBlendLoss()(*boxes())
