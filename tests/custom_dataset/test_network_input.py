"""Strides of models as they are really built."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mmcv.transforms import Compose
from mmengine.config import Config
from torch import nn

import mmdet
from abc_mmdet.custom_dataset.network_input import (
    NetworkInput,
    inference_strides,
    train_only_strides,
)
from abc_mmdet.errors import UserError
from mmdet.registry import MODELS, TRANSFORMS
from mmdet.structures.bbox import HorizontalBoxes

ROOT = Path(__file__).parents[2]
STOCK = Path(mmdet.__file__).parent / '.mim' / 'configs'


@pytest.mark.parametrize(
    ('config', 'inference', 'training'),
    [
        ('small/baseline_3level_hituav.py', [8, 16, 32], []),
        ('small/abc_basic_hituav.py', [4, 8, 16, 32], []),
        ('ablation_coco/variants.py', [8, 16, 32], [4]),
    ],
)
def test_models_of_ours(
    config: str, inference: list[int], training: list[int], monkeypatch
) -> None:
    monkeypatch.setenv('ABC_ABLATION_VARIANT', 'aux_p1_p2')
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


sides = st.integers(20, 300)


@given(sides, sides, sides, sides, st.booleans())
def test_scale_of_resize(width: int, height: int, w: int, h: int, keep: bool) -> None:
    pipeline = [
        dict(type='LoadImageFromFile'),
        dict(type='Resize', scale=(w, h), keep_ratio=keep),
        dict(type='LoadAnnotations', with_bbox=True),
        dict(type='PackDetInputs'),
    ]
    scale = NetworkInput(pipeline).scale((width, height))
    wanted = (w / width, h / height)
    if keep:
        wanted = (min(max(w, h) / max(width, height), min(w, h) / min(width, height)),) * 2
    # Sides of the result are whole pixels
    assert scale == pytest.approx(wanted, abs=1 / min(width, height))


@pytest.mark.parametrize(
    'transforms',
    [
        [dict(type='ResizeShortestEdge', scale=50, max_size=90)],
        [dict(type='FixScaleResize', scale=(70, 50), keep_ratio=True)],
        [dict(type='FixShapeResize', width=60, height=50, keep_ratio=True)],
        [dict(type='Resize', scale_factor=0.5), dict(type='Resize', scale=(90, 90))],
        [dict(type='Pad', size_divisor=32)],
    ],
    ids=lambda transforms: transforms[0]['type'],
)
def test_boxes_get_the_size_the_pipeline_gives_them(transforms: list[dict]) -> None:
    """Against a box that went through the real transforms."""
    size = (96, 64)
    boxes = HorizontalBoxes(np.array([[44.0, 28, 52, 36]], np.float32))
    image = np.zeros((size[1], size[0], 3), np.uint8)
    results = dict(
        img=image,
        img_shape=image.shape[:2],
        gt_bboxes=boxes,
        gt_bboxes_labels=np.zeros(1, int),
        gt_ignore_flags=np.zeros(1, bool),
    )
    results = Compose([TRANSFORMS.build(t) for t in transforms])(results)
    x1, y1, x2, y2 = results['gt_bboxes'].tensor[0].tolist()
    network_input = NetworkInput(transforms)
    assert network_input.scale(size) == pytest.approx(((x2 - x1) / 8, (y2 - y1) / 8), rel=0.03)
    assert network_input.shape(size) == results['img_shape'][1::-1]
    many = network_input.scales(np.array([size, (50, 50), size], float))
    assert many.shape == (3, 2)
    assert many[0].tolist() == many[2].tolist() == list(network_input.scale(size))


def test_a_pipeline_that_cannot_be_followed() -> None:
    with pytest.raises(UserError, match='MinIoURandomCrop of the test pipeline'):
        NetworkInput([dict(type='MinIoURandomCrop')]).scale((96, 64))
