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
