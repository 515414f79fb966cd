"""Strides of models as they are really built."""

from pathlib import Path

import pytest
from mmengine.config import Config
from torch import nn

import mmdet
from abc_mmdet.own_data.model_levels import inference_strides, train_only_strides
from mmdet.registry import MODELS

ROOT = Path(__file__).parents[2]
STOCK = Path(mmdet.__file__).parent / '.mim' / 'configs'


@pytest.mark.parametrize(
    ('config', 'inference', 'training'),
    [
        ('small/baseline_3level_hituav.py', [8, 16, 32], []),
        ('small/abc_basic_hituav.py', [4, 8, 16, 32], []),
        ('ladder_coco/aux_p1_p2.py', [8, 16, 32], [4]),
    ],
)
def test_models_of_ours(config: str, inference: list[int], training: list[int]) -> None:
    model = MODELS.build(Config.fromfile(ROOT / 'configs' / config).model)
    assert (inference_strides(model), train_only_strides(model)) == (inference, training)


@pytest.mark.parametrize(
    ('config', 'expected'),
    [
        ('yolox/yolox_tiny_8xb8-300e_coco.py', [8, 16, 32]),
        ('atss/atss_r50_fpn_1x_coco.py', [8, 16, 32, 64, 128]),
        ('yolo/yolov3_mobilenetv2_8xb24-ms-416-300e_coco.py', [8, 16, 32]),
        ('fcos/fcos_r50-caffe_fpn_gn-head_1x_coco.py', [8, 16, 32, 64, 128]),
        ('ssd/ssd300_coco.py', [8, 16, 32, 64, 100, 300]),
    ],
)
def test_models_of_mmdetection(config: str, expected: list[int]) -> None:
    if not (STOCK / config).is_file():
        pytest.skip('this MMDetection was installed without its configs')
    model = MODELS.build(Config.fromfile(STOCK / config).model)
    assert inference_strides(model) == expected
    assert train_only_strides(model) == []


def test_models_without_levels() -> None:
    assert inference_strides(nn.Linear(2, 2)) == train_only_strides(nn.Linear(2, 2)) == []
