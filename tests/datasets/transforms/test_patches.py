"""Patches cut out and pasted, and where an image is image."""

import copy
import random

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from abc_mmdet.datasets.transforms.patches import (
    ObjectPatch,
    filled_area,
    overlapping,
    patch_bounds,
    touches,
)
from mmdet.registry import TRANSFORMS
from mmdet.structures.bbox import HorizontalBoxes


def image_with_square(channels: tuple[int, ...] = (3,)) -> tuple[np.ndarray, np.ndarray]:
    """A white object of 6 x 4 px on black, and its box."""
    image = np.zeros((40, 60, *channels), np.uint8)
    image[10:14, 20:26] = 255
    return image, np.array([20.0, 10.0, 26.0, 14.0])


@pytest.mark.parametrize('channels', [(), (1,), (3,), (5,)])
def test_cut_and_pasted_object_is_where_its_box_says(channels: tuple[int, ...]) -> None:
    image, box = image_with_square(channels)
    patch = ObjectPatch.cut(image, box, label=2, margin=3)
    assert patch.pixels.shape == (10, 12, *channels)
    assert patch.row == pytest.approx(12 / 40)
    elsewhere = np.full_like(image, 100)
    x1, y1, x2, y2 = patch.paste(elsewhere, 5, 7, feather=False).astype(int)
    assert (x1, y1, x2, y2) == (8, 10, 14, 14)
    assert (elsewhere[y1:y2, x1:x2] == 255).all()
    assert (elsewhere[7:17, 5:17] == 0).sum() == (120 - 24) * int(np.prod(channels))
    assert (elsewhere == 100).sum() == (2400 - 120) * int(np.prod(channels))


def test_mirrored_object() -> None:
    image, box = image_with_square()
    image[10:14, 20] = 128  # its left edge
    patch = ObjectPatch.cut(image, box, label=0, margin=2).flipped()
    x1, y1, x2, y2 = patch.box.astype(int)
    assert (patch.pixels[y1:y2, x1 : x2 - 1] == 255).all()
    assert (patch.pixels[y1:y2, x2 - 1] == 128).all()
    assert (patch.pixels[y1:y2, x2] == 0).all()


@pytest.mark.parametrize('factor', [0.5, 1.0, 2.0])
def test_rescaled_object_keeps_to_its_box(factor: float) -> None:
    image, box = image_with_square()
    patch = ObjectPatch.cut(image, box, label=0, margin=3).scaled(factor)
    assert patch.pixels.shape == (10 * factor, 12 * factor, 3)
    np.testing.assert_allclose(patch.box, np.array([3, 3, 9, 7]) * factor)
    bright = np.argwhere(patch.pixels[..., 0] > 127)
    np.testing.assert_allclose(bright.min(0)[::-1], patch.box[:2], atol=1)
    np.testing.assert_allclose(bright.max(0)[::-1] + 1, patch.box[2:], atol=1)


def test_feather_fades_in_the_margin_and_leaves_the_object_whole() -> None:
    image, box = image_with_square()
    patch = ObjectPatch.cut(image, box, label=0, margin=3)
    opacity = patch.opacity(feather=True)
    np.testing.assert_allclose(opacity[5], [0.25, 0.5, 0.75, *[1] * 6, 0.75, 0.5, 0.25])
    assert (opacity[~patch.surroundings()] == 1).all()
    assert (opacity[patch.surroundings()] < 1).all()
    target = np.full_like(image, 200)
    patch.paste(target, 0, 0, feather=True)
    assert target[5, :4, 0].tolist() == [150, 100, 50, 255]


def test_fractions_of_pixels_belong_to_the_patch() -> None:
    assert patch_bounds(np.array([[2.5, 3.0, 4.2, 5.0]]), 1).tolist() == [[1, 2, 6, 6]]
    touching = np.array([[0.0, 0, 5, 5], [5, 0, 9, 5], [4.9, 4.9, 6, 6]])
    assert overlapping(touching, touching).tolist() == [
        [True, False, True],
        [False, True, True],
        [True, True, True],
    ]


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
