import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from abc_mmdet.errors import UserError
from abc_mmdet.models.losses import SizeAwareIoULoss
from mmdet.models.losses import IoULoss
from mmdet.registry import MODELS

LOW, HIGH = 32.0**2, 96.0**2


def expected_weight(weighting: str, area: float) -> float:
    """The documented curve, written out case by case."""
    if area <= LOW:
        return 2.5
    if area >= HIGH:
        return 1.0
    fraction = (area - LOW) / (HIGH - LOW)
    if weighting == 'step':
        return 1.75
    if weighting == 'linear':
        return 2.5 + fraction * (1.0 - 2.5)
    return math.exp(math.log(2.5) * (1 - fraction))


@pytest.mark.parametrize('weighting', ['exponential', 'linear', 'step'])
@given(side_x=st.floats(0.1, 200), side_y=st.floats(0.1, 200), x=st.floats(-50, 500))
def test_weight_follows_the_documented_curve(weighting, side_x, side_y, x) -> None:
    target = torch.tensor([[x, 7.0, x + side_x, 7.0 + side_y]], dtype=torch.float64)
    area = float((target[0, 2] - target[0, 0]) * (target[0, 3] - target[0, 1]))
    weight = SizeAwareIoULoss(weighting=weighting).size_weight(target)
    np.testing.assert_allclose(weight.item(), expected_weight(weighting, area), rtol=1e-9)


def boxes(n: int) -> torch.Tensor:
    corners = torch.rand(n, 2) * 100
    return torch.cat([corners, corners + 3 + torch.rand(n, 2) * 120], dim=1)


@pytest.mark.parametrize('reduction', ['none', 'mean', 'sum'])
@pytest.mark.parametrize('with_weight', [None, 1, 4])
def test_equals_the_weighted_plain_loss(reduction: str, with_weight: int | None) -> None:
    target = boxes(50)
    pred = (target + torch.randn(50, 4)).requires_grad_()
    weight = {None: None, 1: torch.rand(50), 4: torch.rand(50, 1).expand(50, 4)}[with_weight]
    loss = SizeAwareIoULoss(mode='square', reduction=reduction, loss_weight=5.0)
    value = loss(pred, target, weight=weight)

    plain = IoULoss(mode='square', reduction='none', loss_weight=5.0)(pred, target)
    by_hand = plain * torch.tensor(
        [expected_weight('exponential', float((b[2] - b[0]) * (b[3] - b[1]))) for b in target]
    )
    if weight is not None:
        by_hand = by_hand * (weight if weight.dim() == 1 else weight[:, 0])
    if reduction != 'none':
        by_hand = getattr(by_hand, reduction)()
    torch.testing.assert_close(value, by_hand, rtol=1e-5, atol=1e-6)
    value.sum().backward()
    assert pred.grad.isfinite().all()
    assert pred.grad.abs().sum() > 0


def test_large_objects_lose_as_in_the_plain_loss() -> None:
    target = torch.tensor([[0.0, 0.0, 100.0, 120.0]])
    pred = target + 5
    assert SizeAwareIoULoss()(pred, target) == IoULoss()(pred, target)


def test_any_box_loss_can_be_weighted() -> None:
    loss = MODELS.build(dict(type='SizeAwareIoULoss', iou_loss=dict(type='GIoULoss', eps=1e-7)))
    assert type(loss.iou_loss).__name__ == 'GIoULoss'
    assert loss(boxes(3), boxes(3)).isfinite()


def test_no_boxes() -> None:
    assert SizeAwareIoULoss(reduction='sum')(torch.zeros(0, 4), torch.zeros(0, 4)) == 0


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (dict(weighting='cubic'), 'cubic'),
        (dict(max_weight=0.5), 'max_weight=0.5'),
        (dict(small_area=100.0, large_area=100.0), '100.0 and 100.0'),
    ],
)
def test_wrong_options_are_refused(options: dict, message: str) -> None:
    with pytest.raises(UserError, match=message):
        SizeAwareIoULoss(**options)
