"""Where MMDetection's own augmentations leave no image."""

import copy
import random

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from abc_mmdet.datasets.transforms.image_area import filled_area, touches
from mmdet.registry import TRANSFORMS
from mmdet.structures.bbox import HorizontalBoxes

MIXES = {
    'Mosaic': ([], dict(type='Mosaic', img_scale=(96, 96), prob=1.0)),
    'CachedMosaic': ([], dict(type='CachedMosaic', img_scale=(96, 96), prob=1.0)),
    'MixUp': ([dict(type='Mosaic', img_scale=(96, 96))], dict(type='MixUp', img_scale=(96, 96))),
    'Pad': ([], dict(type='Pad', size=(170, 190), pad_val=dict(img=(7, 8, 9)))),
}


def image(seed: int, is_marker: bool) -> dict:
    """An image without a grey pixel and with small objects, or its marker: white, on black."""
    rng = np.random.default_rng(seed)
    height, width = rng.integers(30, 110, 2)
    pixels = rng.integers(120, 256, (height, width, 3), dtype=np.uint8)
    corners = rng.uniform(5, [width - 12, height - 12], (6, 2))
    boxes = np.concatenate([corners, corners + rng.uniform(3, 6, (6, 2))], axis=1)
    return dict(
        img=np.full_like(pixels, 255) if is_marker else pixels,
        img_shape=(height, width),
        gt_bboxes=HorizontalBoxes(torch.from_numpy(boxes.astype(np.float32))),
        gt_bboxes_labels=np.zeros(6, np.int64),
        gt_ignore_flags=np.zeros(6, bool),
    )


def mixed(kind: str, seed: int, affine: bool, is_marker: bool) -> dict:
    """What MMDetection makes of images; the marker's pixels are black where none is left."""
    before, mix = copy.deepcopy(MIXES[kind])
    steps = [*before, mix]
    if affine:
        mix.pop('pad_val', None)
        mix.update(dict(pad_val=dict(img=114)) if kind == 'Pad' else {})
        size = dict(border=(-32, -32)) if 'Mosaic' in str(steps) else {}
        steps.append(dict(type='RandomAffine', scaling_ratio_range=(0.4, 1.2), **size))
    for step in steps if is_marker else []:
        step['border_val' if step['type'] == 'RandomAffine' else 'pad_val'] = (
            dict(img=0) if step['type'] == 'Pad' else (0, 0, 0) if 'Affine' in step['type'] else 0
        )
    np.random.seed(seed)
    random.seed(seed)
    results = image(seed, is_marker)
    for number, step in enumerate(steps):
        others = [image(seed + 10 * number + k, is_marker) for k in range(1, 5)]
        transform = TRANSFORMS.build(step)
        if step['type'] == 'CachedMosaic':
            for other in others:
                transform(other)
        results['mix_results'] = others[: 1 if step['type'] == 'MixUp' else 3]
        results = transform(results)
        results.pop('mix_results', None)
    return results


@pytest.mark.parametrize('kind', MIXES)
@pytest.mark.parametrize('affine', [False, True], ids=['plain', 'affine'])
def test_copies_lie_on_images_alone(kind: str, affine: bool) -> None:
    paste = TRANSFORMS.build(
        dict(type='SmallObjectCopyPaste', num_objects=(8, 8), max_misfit=None, position='uniform')
    )
    on_padding = copies = 0
    for seed in range(0, 1200, 100):
        results = mixed(kind, seed, affine, is_marker=False)
        is_image = mixed(kind, seed, affine, is_marker=True)['img'].any(-1)
        assert is_image.shape == results['img'].shape[:2]
        before = len(results['gt_bboxes'])
        pixels = results['img'].copy()
        after = paste(results)
        changed = (after['img'] != pixels).any(-1)
        assert not (changed & ~is_image).any(), 'margins of the copies, too'
        copies += len(after['gt_bboxes']) - before
        on_padding += (~is_image).mean() > 0.05
    assert copies > 10
    assert on_padding > 5, 'there was padding to keep off'


@given(st.integers(0, 10_000), st.integers(1, 40), st.integers(1, 40))
def test_a_colour_within_an_image_is_image(seed: int, width: int, height: int) -> None:
    """Without a connection to the border, or as single pixels."""
    rng = np.random.default_rng(seed)
    pixels = rng.integers(0, 114, (60, 60, 3), dtype=np.uint8)
    pixels[rng.random((60, 60)) < 0.05] = 114
    pixels[2 : 2 + height, 2 : 2 + width] = 114
    pixels[0] = pixels[:, 0] = 50
    assert not filled_area(pixels, 114).any()
    pixels[:, 50:] = 114
    filled = filled_area(pixels, 114)
    assert filled[:, 50:].all() and not filled[0, :50].any()
    assert not filled_area(pixels, None).any()
    assert not filled_area(pixels.astype(np.float32) / 255, 114).any()


def test_rectangles_that_touch_an_area() -> None:
    rng = np.random.default_rng(0)
    area = rng.random((20, 30)) < 0.05
    low = rng.integers(0, [25, 15], (200, 2))
    bounds = np.concatenate([low, low + rng.integers(1, 6, (200, 2))], axis=1)
    expected = [area[y1:y2, x1:x2].any() for x1, y1, x2, y2 in bounds]
    assert touches(bounds, area).tolist() == expected
    assert 20 < sum(expected) < 180
    assert touches(np.zeros((0, 4), int), area).shape == (0,)
