"""SlicedDetector against the detector inside it."""

import copy
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.runner.checkpoint import _load_checkpoint_to_model, get_state_dict
from torch import Tensor

from abc_mmdet.errors import UserError
from abc_mmdet.models import SlicedDetector
from mmdet.registry import MODELS
from mmdet.structures import DetDataSample
from mmdet.testing import demo_mm_inputs

ROOT = Path(__file__).parents[3]
CONFIG = {
    'YOLOX': dict(
        data_preprocessor=dict(mean=[100.0, 110, 120], std=[50.0, 60, 70], pad_value=3),
        backbone=dict(widen_factor=0.125),
        neck=dict(in_channels=[32, 64, 128], out_channels=16),
        bbox_head=dict(num_classes=3, in_channels=16, feat_channels=16),
        test_cfg=dict(score_thr=0.0, nms=dict(max_num=40)),
    )
}


def yolox() -> dict:
    config = Config.fromfile(ROOT / 'configs/_base_/models/yolox_3level.py')
    config.merge_from_dict(dict(model=CONFIG['YOLOX']))
    return config.model


@pytest.fixture(scope='module')
def detector() -> torch.nn.Module:
    torch.manual_seed(0)
    model = MODELS.build(yolox())
    model.init_weights()
    # Scores that differ, and boxes of different sizes
    for parameter in model.bbox_head.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    return model.eval()


def around(detector: torch.nn.Module, **options) -> SlicedDetector:
    model = SlicedDetector(yolox(), **options)
    model.load_state_dict(detector.state_dict())
    return model.eval()


def batch(*shapes: tuple[int, int], scale: float = 2.0) -> dict:
    """Raw images of these heights and widths, that were resized by ``scale``."""
    data = demo_mm_inputs(len(shapes), [(3, *shape) for shape in shapes], num_classes=3)
    for sample in data['data_samples']:
        sample.set_metainfo(dict(scale_factor=(scale, scale)))
    return data


def detect(model: torch.nn.Module, data: dict) -> list[DetDataSample]:
    with torch.no_grad():
        return model.test_step(copy.deepcopy(data))


def same(a: DetDataSample, b: DetDataSample) -> bool:
    keys = ('bboxes', 'scores', 'labels')
    return all(torch.equal(a.pred_instances[key], b.pred_instances[key]) for key in keys)


@pytest.mark.parametrize('size', [(128, 96), (300, 300), (111, 90)])
def test_one_slice_gives_what_the_detector_gives(detector, size) -> None:
    data = batch((90, 100), (64, 111), scale=1.7)
    expected = detect(detector, data)
    found = detect(around(detector, slice_size=size, full_image=False), data)
    assert len(expected[0].pred_instances) > 5
    assert all(map(same, expected, found))


def test_one_slice_is_not_looked_at_twice(detector) -> None:
    data = batch((90, 100))
    assert same(*detect(detector, data), *detect(around(detector, slice_size=(128, 96)), data))
