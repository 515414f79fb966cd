"""Metrics that hooks and schedules follow are there, and are meant as they are."""

import pytest
import torch
from mmengine.hooks import EarlyStoppingHook
from mmengine.optim import ReduceOnPlateauLR

from abc_mmdet.engine.monitored_metrics import best_key, name_monitor
from abc_mmdet.errors import UserError

KEYS = ['coco/pedestrian_precision', 'coco/bbox_mAP', 'coco/bbox_mAP_50']


@pytest.mark.parametrize(
    ('wanted', 'keys', 'meant'),
    [
        ('coco/bbox_mAP', KEYS, 'coco/bbox_mAP'),
        ('bbox_mAP', KEYS, 'coco/bbox_mAP'),
        ('auto', KEYS, 'coco/bbox_mAP'),
        ('auto', ['pascal_voc/AP50', 'pascal_voc/mAP'], 'pascal_voc/mAP'),
        ('auto', ['bbox_mAP_50', 'segm_mAP'], 'segm_mAP'),
        ('auto', ['other', 'more'], 'other'),
        ('mAP', KEYS, None),
        ('bbox', KEYS, None),
    ],
)
def test_names_with_and_without_prefix(wanted: str, keys: list[str], meant: str | None) -> None:
    assert best_key(wanted, keys) == meant


def test_two_metrics_of_one_name() -> None:
    with pytest.raises(UserError, match=r'one of first/mAP, second/mAP'):
        best_key('mAP', ['first/mAP', 'second/mAP', 'first/mAP'])


OF_CARS = ['coco/car_precision', 'coco/bbox_mAP', 'coco/bbox_mAP_50']


def plateau(**options: object) -> ReduceOnPlateauLR:
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    return ReduceOnPlateauLR(optimizer, patience=0, factor=0.1, **options)


def test_a_name_without_prefix_stops_a_training() -> None:
    class Loop:
        stop_training = False

    class Run:
        train_loop = Loop()

    hook = EarlyStoppingHook(monitor='bbox_mAP', patience=1, min_delta=0)
    name_monitor(hook, OF_CARS, 'EarlyStoppingHook')
    with pytest.raises(AttributeError):  # MMEngine says why in the log, which this run has not
        for value in (0.5, 0.4):
            hook.after_val_epoch(Run(), {'coco/bbox_mAP': value})
    assert Run.train_loop.stop_training


def test_a_schedule_follows_a_name_without_prefix() -> None:
    schedule = plateau(monitor='bbox_mAP', rule='greater')
    name_monitor(schedule, OF_CARS, 'ReduceOnPlateauLR')
    rates = []
    for value in (0.5, 0.6, 0.4):
        schedule.step({'coco/bbox_mAP': value})
        rates.append(schedule.optimizer.param_groups[0]['lr'])
    assert rates == pytest.approx([1, 1, 0.1])


def test_what_cannot_be_followed() -> None:
    with pytest.raises(UserError, match=r"monitor='loss': .* has no metric .* coco/bbox_mAP"):
        name_monitor(plateau(monitor='loss'), OF_CARS, 'ReduceOnPlateauLR')
    with pytest.raises(UserError, match="follows coco/bbox_mAP with rule='less'"):
        name_monitor(plateau(monitor='bbox_mAP'), OF_CARS, 'ReduceOnPlateauLR')
