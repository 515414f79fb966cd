from types import SimpleNamespace

import pytest

from abc_mmdet.engine import MultiTaskWeightHook
from abc_mmdet.errors import UserError
from abc_mmdet.models.losses import ABCMultiTaskLoss


def weights_at(hook: MultiTaskWeightHook, iteration: int) -> tuple[float, float]:
    """Weights that the hook gives a fresh run (or one resumed) at this iteration."""
    loss = ABCMultiTaskLoss()
    head = SimpleNamespace(multi_task_loss=loss)
    runner = SimpleNamespace(model=SimpleNamespace(bbox_head=head), iter=iteration)
    hook.before_train_iter(runner, iteration)
    return loss.main_weight, loss.aux_weight


def test_weights_follow_from_the_iteration_alone() -> None:
    hook = MultiTaskWeightHook(
        [dict(begin=20, aux_weight=0.0), dict(begin=10, aux_weight=0.25, main_weight=0.5)]
    )
    assert [weights_at(hook, i) for i in (0, 9, 10, 19, 20, 1000)] == [
        (1.0, 2.0),
        (1.0, 2.0),
        (0.5, 0.25),
        (0.5, 0.25),
        (0.5, 0.0),
        (0.5, 0.0),
    ]


@pytest.mark.parametrize('entry', [dict(aux_weight=0.0), dict(begin=5, auxweight=0.0)])
def test_wrong_entries_are_refused(entry: dict) -> None:
    with pytest.raises(UserError, match='schedule entry'):
        MultiTaskWeightHook([entry])


def test_model_without_auxiliary_task_is_refused() -> None:
    runner = SimpleNamespace(model=SimpleNamespace(bbox_head=object()), iter=0)
    with pytest.raises(UserError, match='needs a model whose bbox_head is an ABCHead'):
        MultiTaskWeightHook([dict(begin=0, aux_weight=1.0)]).before_train_iter(runner, 0)
