import logging
import random
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from mmengine.logging import MessageHub
from mmengine.structures import InstanceData
from torch import nn

from abc_mmdet.engine import NWDConstantHook
from abc_mmdet.errors import UserError
from mmdet.registry import MODELS
from mmdet.structures import DetDataSample, TrackDataSample
from mmdet.structures.bbox import HorizontalBoxes

NWD = dict(type='NWDOverlaps2D')
HEAD = dict(in_channels=4, feat_channels=4)


def model(main_constant: float | None = None, **changes) -> nn.Module:
    model = nn.Module()
    config = dict(
        type='ABCHead',
        classes=('car', 'person'),
        small_classes=('person',),
        main_head=dict(
            type='YOLOXHead',
            loss_bbox=dict(type='NWDBlendLoss', constant=main_constant, reduction='sum'),
            **HEAD,
        ),
        aux_head=dict(
            type='AuxSmallObjectHead',
            train_cfg=dict(assigner=dict(type='FastSimOTAAssigner', iou_calculator=NWD)),
            **HEAD,
        ),
        train_cfg=dict(assigner=dict(type='FastSimOTAAssigner')),
    )
    model.bbox_head = MODELS.build({**config, **changes})
    return model


def constants(model: nn.Module) -> tuple[float | None, float | None]:
    """Of the main task's loss and the auxiliary task's assigner."""
    head = model.bbox_head
    auxiliary = head.aux_head.assigner.iou_calculator
    return head.main_head.loss_bbox.nwd_constant.value, auxiliary.nwd_constant.value


class Samples:
    """A data set whose pipeline is random: square boxes with the given sides and labels."""

    def __init__(self, *images: list[tuple[float, int]], clips: bool = False) -> None:
        self.images, self.clips, self.asked = images, clips, []

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> dict:
        self.asked.append(index)
        sides = torch.tensor([side for side, _ in self.images[index]])
        corner = torch.rand(len(sides), 2) + random.random() + np.random.rand()
        sample = DetDataSample()
        sample.gt_instances = InstanceData(
            bboxes=HorizontalBoxes(torch.cat([corner, corner + sides[:, None]], dim=1)),
            labels=torch.tensor([label for _, label in self.images[index]], dtype=torch.long),
        )
        if self.clips:
            clip = TrackDataSample()
            clip.video_data_samples = [sample]
            sample = clip
        return dict(inputs=None, data_samples=sample)


def runner(dataset: Samples, of_model: nn.Module, hub: str) -> SimpleNamespace:
    return SimpleNamespace(
        model=of_model,
        train_dataloader=SimpleNamespace(dataset=dataset),
        message_hub=MessageHub.get_instance(hub),
        seed=3,
        logger=logging.getLogger('test'),
    )


IMAGES = [[(10.0, 0), (20.0, 1)], [], [(60.0, 0)], [(6.0, 1), (10.0, 1)]]


@pytest.mark.parametrize('clips', [False, True])
def test_mean_size_of_the_boxes_of_each_task(clips: bool, request) -> None:
    learner = model()
    NWDConstantHook().before_train(
        runner(Samples(*IMAGES, clips=clips), learner, request.node.name)
    )
    assert constants(learner) == (pytest.approx(106 / 5), pytest.approx(36 / 3))


def test_task_by_size_learns_from_small_boxes_alone(request) -> None:
    learner = model(small_classes='all', max_area=150.0)
    NWDConstantHook().before_train(runner(Samples(*IMAGES), learner, request.node.name))
    assert constants(learner)[1] == pytest.approx(26 / 3)


def test_fixed_constants_stay(request) -> None:
    learner = model(main_constant=99.0)
    NWDConstantHook().before_train(runner(Samples(*IMAGES), learner, request.node.name))
    assert constants(learner) == (99.0, pytest.approx(12.0))


def test_draws_some_samples_and_leaves_random_numbers_alone(request) -> None:
    dataset = Samples(*([[(4.0, 0), (float(i + 1), 1)] for i in range(50)]))
    learner = model()
    before = random.getstate(), np.random.get_state()[1:3], torch.get_rng_state()
    NWDConstantHook(num_samples=20).before_train(runner(dataset, learner, request.node.name))
    assert len(set(dataset.asked)) == len(dataset.asked) == 20
    assert constants(learner)[1] == pytest.approx(np.mean(dataset.asked) + 1)
    assert random.getstate() == before[0]
    assert np.array_equal(np.random.get_state()[1], before[1][0])
    assert np.random.get_state()[2] == before[1][1]
    assert torch.equal(torch.get_rng_state(), before[2])


def test_resumed_run_draws_nothing(request) -> None:
    first = runner(Samples(*IMAGES), model(), request.node.name)
    NWDConstantHook().before_train(first)
    resumed = runner(Samples([(1.0, 0)]), model(), f'{request.node.name}_resumed')
    resumed.message_hub.load_state_dict(first.message_hub.state_dict())
    NWDConstantHook().before_train(resumed)
    assert resumed.train_dataloader.dataset.asked == []
    assert constants(resumed.model) == constants(first.model)


def test_model_without_nwd_costs_nothing(request) -> None:
    plain = nn.Module()
    plain.bbox_head = MODELS.build(
        dict(
            type='YOLOXHead',
            num_classes=2,
            **HEAD,
            train_cfg=dict(assigner=dict(type='SimOTAAssigner')),
        )
    )
    dataset = Samples(*IMAGES)
    NWDConstantHook().before_train(runner(dataset, plain, request.node.name))
    assert dataset.asked == []


def test_task_without_boxes_is_said(request) -> None:
    with pytest.raises(UserError, match=r'no box of the bbox_head\.aux_head in 300 samples'):
        NWDConstantHook().before_train(runner(Samples([(9.0, 0)]), model(), request.node.name))


@pytest.mark.parametrize('constant', [None, 2.5])
def test_head_whose_loss_sees_strides_is_refused(constant: float | None) -> None:
    """GFL divides its boxes by the stride of their level: pixels would be far too much."""
    gfl = nn.Module()
    gfl.bbox_head = MODELS.build(
        dict(
            type='GFLHead',
            num_classes=2,
            in_channels=4,
            feat_channels=32,
            anchor_generator=dict(
                type='AnchorGenerator',
                ratios=[1.0],
                octave_base_scale=8,
                scales_per_octave=1,
                strides=[8, 16],
            ),
            loss_bbox=dict(type='NWDBlendLoss', constant=constant),
        )
    )
    runner = SimpleNamespace(model=gfl)
    if constant is not None:
        NWDConstantHook().before_train(runner)  # in units of strides, as the user says
        return
    with pytest.raises(UserError, match=r'GFLHead \(bbox_head\) hands its loss_bbox boxes divided'):
        NWDConstantHook().before_train(runner)
