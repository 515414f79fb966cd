"""Ignored regions stay ignored through what pipelines do to boxes."""

import numpy as np
import pytest
import torch

from mmdet.registry import TRANSFORMS
from mmdet.structures.bbox import HorizontalBoxes

IGNORED, OBJECT = 1, 0
ALONE = [
    dict(type='Resize', scale=(60, 40), keep_ratio=False),
    dict(type='RandomResize', scale=(96, 64), ratio_range=(0.5, 1.5), keep_ratio=True),
    dict(type='RandomFlip', prob=1.0, direction='diagonal'),
    dict(type='RandomShift', prob=1.0, max_shift_px=24),
    dict(type='RandomCrop', crop_size=(40, 30), allow_negative_crop=True),
    dict(type='MinIoURandomCrop', min_ious=(0.1, 0.3), min_crop_size=0.4),
    dict(type='RandomAffine'),
    dict(type='Expand', prob=1.0),
    dict(type='CutOut', n_holes=3, cutout_shape=(8, 8)),
    dict(type='RandomErasing', n_patches=(1, 3), ratio=(0, 0.2)),
    dict(type='FilterAnnotations', min_gt_bbox_wh=(9, 9), keep_empty=False),
    dict(type='RandomTranspose', prob=1.0),
    dict(type='SmallObjectSlice', size=(40, 30), small_prob=0.5, max_area=12**2),
    dict(type='SmallObjectCopyPaste', max_area=12**2, num_objects=(3, 5), max_misfit=None),
]
WITH_OTHERS = [
    dict(type='Mosaic', img_scale=(96, 64), prob=1.0),
    dict(type='MixUp', img_scale=(96, 64)),
    dict(type='CachedMosaic', img_scale=(96, 64), prob=1.0, max_cached_images=5),
    dict(type='CachedMixUp', img_scale=(96, 64), prob=1.0, max_cached_images=5),
    dict(type='SmallObjectCopyPaste', max_area=12**2, num_objects=(3, 5), max_misfit=None),
]


def results(seed: int) -> dict:
    """An image of 96 x 64 px whose labels say which boxes are ignored."""
    rng = np.random.default_rng(seed)
    low = rng.integers(0, [80, 50], (12, 2))
    boxes = np.concatenate([low, low + rng.integers(4, 14, (12, 2))], axis=1).astype(np.float32)
    labels = rng.integers(0, 2, 12)
    return dict(
        img=rng.integers(0, 255, (64, 96, 3), dtype=np.uint8),
        img_shape=(64, 96),
        ori_shape=(64, 96),
        img_id=seed,
        img_path='a.jpg',
        gt_bboxes=HorizontalBoxes(torch.from_numpy(boxes)),
        gt_bboxes_labels=labels,
        gt_ignore_flags=labels == IGNORED,
    )


def name(transform: dict) -> str:
    return transform['type']


def check(after: dict) -> int:
    labels, flags = after['gt_bboxes_labels'], after['gt_ignore_flags']
    assert len(after['gt_bboxes']) == len(labels) == len(flags)
    assert (np.asarray(flags) == (np.asarray(labels) == IGNORED)).all()
    packed = TRANSFORMS.build(dict(type='PackDetInputs', meta_keys=()))(after)['data_samples']
    assert (packed.gt_instances.labels == OBJECT).all()
    assert (packed.ignored_instances.labels == IGNORED).all()
    assert len(packed.ignored_instances) == int(np.sum(flags))
    return len(packed.ignored_instances)


@pytest.mark.parametrize('transform', ALONE, ids=name)
def test_of_one_image(transform: dict) -> None:
    built = TRANSFORMS.build(dict(transform))
    ignored = 0
    for seed in range(8):
        np.random.seed(seed)
        after = built(results(seed))
        ignored += check(after) if after is not None else 0
    assert ignored


@pytest.mark.parametrize('transform', WITH_OTHERS, ids=name)
def test_of_several_images(transform: dict) -> None:
    built = TRANSFORMS.build(dict(transform))
    ignored = 0
    for seed in range(8):
        np.random.seed(seed)
        others = [results(100 + 3 * seed + i) for i in range(3)]
        if transform['type'] == 'MixUp':
            others = others[:1]
        ignored += check(built(dict(results(seed), mix_results=others)))
    assert ignored


def test_copies_lie_in_no_ignored_region() -> None:
    before = results(0)
    before['gt_bboxes'] = HorizontalBoxes([[40.0, 0.0, 96.0, 64.0], [10.0, 10.0, 16.0, 16.0]])
    before['gt_bboxes_labels'] = np.array([IGNORED, OBJECT])
    before['gt_ignore_flags'] = np.array([True, False])
    built = TRANSFORMS.build(
        dict(
            type='SmallObjectCopyPaste',
            max_area=12**2,
            num_objects=(9, 9),
            max_misfit=None,
            position='uniform',
        )
    )
    np.random.seed(0)
    after = built(before)
    added = after['gt_bboxes'].tensor[2:]
    assert len(added)
    assert (added[:, 2] <= 40).all()
