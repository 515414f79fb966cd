"""Early stopping and plateau schedules follow the figure that is meant."""

import pytest
import torch
from mmengine.hooks import EarlyStoppingHook
from mmengine.optim import ReduceOnPlateauLR

from abc_mmdet.engine.monitored_metrics import name_monitor
from abc_mmdet.errors import UserError

KEYS = ['coco/car_precision', 'coco/bbox_mAP', 'coco/bbox_mAP_50']


def plateau(**options: object) -> ReduceOnPlateauLR:
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    return ReduceOnPlateauLR(optimizer, patience=0, factor=0.1, **options)


def test_a_name_without_prefix_stops_a_training() -> None:
    class Loop:
        stop_training = False

    class Run:
        train_loop = Loop()

    hook = EarlyStoppingHook(monitor='bbox_mAP', patience=1, min_delta=0)
    name_monitor(hook, KEYS, 'EarlyStoppingHook')
    with pytest.raises(AttributeError):  # MMEngine says why in the log, which this run has not
        for value in (0.5, 0.4):
            hook.after_val_epoch(Run(), {'coco/bbox_mAP': value})
    assert Run.train_loop.stop_training


def test_a_schedule_follows_a_name_without_prefix() -> None:
    schedule = plateau(monitor='bbox_mAP', rule='greater')
    name_monitor(schedule, KEYS, 'ReduceOnPlateauLR')
    rates = []
    for value in (0.5, 0.6, 0.4):
        schedule.step({'coco/bbox_mAP': value})
        rates.append(schedule.optimizer.param_groups[0]['lr'])
    assert rates == pytest.approx([1, 1, 0.1])


def test_what_cannot_be_followed() -> None:
    with pytest.raises(UserError, match=r"monitor='loss': .* has no figure .* coco/bbox_mAP"):
        name_monitor(plateau(monitor='loss'), KEYS, 'ReduceOnPlateauLR')
    with pytest.raises(UserError, match="follows coco/bbox_mAP with rule='less'"):
        name_monitor(plateau(monitor='bbox_mAP'), KEYS, 'ReduceOnPlateauLR')
