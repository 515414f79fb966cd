import pytest
import torch

from abc_mmdet.errors import UserError
from abc_mmdet.models.losses import ABCMultiTaskLoss


def test_weights_and_names() -> None:
    main = dict(loss_cls=torch.tensor(1.0), acc=torch.tensor(50.0))
    aux = dict(loss_cls=[torch.tensor(2.0), torch.tensor(3.0)], loss_obj=torch.tensor(4.0))
    losses = ABCMultiTaskLoss(main_weight=0.5, aux_weight=3.0)(main, aux)
    assert set(losses) == {'loss_cls', 'acc', 'aux_loss_cls', 'aux_loss_obj'}
    assert losses['loss_cls'] == 0.5
    assert losses['acc'] == 50.0, 'what is not a loss keeps its value'
    assert losses['aux_loss_cls'] == [6.0, 9.0]
    assert losses['aux_loss_obj'] == 12.0


def test_weights_of_the_published_experiment_are_the_default() -> None:
    loss = ABCMultiTaskLoss()
    assert (loss.main_weight, loss.aux_weight) == (1.0, 2.0)


def test_weights_can_be_set_during_a_run() -> None:
    loss = ABCMultiTaskLoss()
    loss.aux_weight = 0.0
    value = torch.tensor(2.0, requires_grad=True)
    weighted = loss({}, dict(loss_cls=value))['aux_loss_cls']
    weighted.backward()
    assert weighted == 0.0
    assert value.grad == 0.0


def test_negative_weight_is_refused() -> None:
    with pytest.raises(UserError, match='aux_weight=-1'):
        ABCMultiTaskLoss(aux_weight=-1)


def total(losses: dict) -> torch.Tensor:
    """What MMEngine trains on."""
    return sum(value for name, value in losses.items() if 'loss' in name)


def test_uncertainty_begins_with_the_plain_weights() -> None:
    values = dict(loss_cls=torch.tensor(8.0)), dict(loss_cls=torch.tensor(4.0))
    losses = ABCMultiTaskLoss(aux_weight=0.25, uncertainty=True)(*values)
    assert total(losses) == total(ABCMultiTaskLoss(aux_weight=0.25)(*values)) == 9.0
    assert losses['main_effective_weight'] == 1.0
    assert losses['aux_effective_weight'] == 0.25
    assert not losses['aux_effective_weight'].requires_grad


def test_uncertainty_learns_to_divide_each_task_by_its_loss() -> None:
    loss = ABCMultiTaskLoss(main_weight=1.0, aux_weight=0.25, uncertainty=True)
    assert [name for name, _ in loss.named_parameters()] == ['log_variances']
    main = dict(loss_cls=torch.tensor(8.0), loss_bbox=[torch.tensor(1.0), torch.tensor(3.0)])
    aux = dict(loss_cls=torch.tensor(0.5), acc=torch.tensor(50.0))
    optimizer = torch.optim.SGD(loss.parameters(), lr=0.1)
    for _ in range(2000):
        optimizer.zero_grad()
        losses = loss(main, aux)
        losses['loss_bbox'] = sum(losses['loss_bbox'])
        total(losses).backward()
        optimizer.step()
    assert losses['aux_acc'] == 50.0
    assert losses['main_effective_weight'].item() == pytest.approx(1.0 / 12.0, rel=1e-3)
    assert losses['aux_effective_weight'].item() == pytest.approx(0.25 / 0.5, rel=1e-3)


def test_uncertainty_leaves_a_task_of_weight_zero_alone() -> None:
    loss = ABCMultiTaskLoss(aux_weight=0.0, uncertainty=True)
    feature = torch.tensor(3.0, requires_grad=True)
    total(loss(dict(loss_cls=torch.tensor(8.0)), dict(loss_cls=feature))).backward()
    assert feature.grad == 0.0
    assert loss.log_variances.grad.tolist() == [1 - 8.0, 0.0]
