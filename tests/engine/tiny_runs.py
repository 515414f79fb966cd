"""Trainings of seconds that use everything a resumed run could get wrong, and their comparison."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from abc_mmdet.datasets.events.labels import FrameTimes
from abc_mmdet.datasets.events.rvt_layout import write_sequence
from abc_mmdet.datasets.synthetic.coco_export import Recipe, prepare
from abc_mmdet.engine.training_log import logged_scalars

ROOT = Path(__file__).parents[2]
COMMON = """
max_iters = {iterations}
loader = dict(num_workers={workers}, persistent_workers={workers} > 0)
train_cfg = dict(max_iters=max_iters, val_interval={validate})
val_dataloader = dict(loader, dataset=dict(data_root=data_root, serialize_data=False))
val_evaluator = dict(small_classes=('pedestrian',))
default_hooks = dict(
    checkpoint=dict(interval={every}, save_best='coco/bbox_mAP'), logger=dict(interval=1))
param_scheduler = [
    dict(type='LinearLR', start_factor=0.1, begin=0, end=4, by_epoch=False),
    dict(type='CosineAnnealingLR', begin=4, end=100, T_max=96, by_epoch=False)]
custom_hooks = [
    dict(type='EMAHook', ema_type='ExpMomentumEMA', momentum=0.1, gamma=5, priority=49,
         update_buffers=True),
    dict(type='MultiTaskWeightHook', schedule=[
        dict(begin=0, aux_weight=0.0), dict(begin=1, end=max_iters, aux_weight=1.0)])]
"""
IMAGES = (
    """
_base_ = '{root}/configs/small/abc_synthetic.py'
data_root = '{data}/'
model = dict(
    data_preprocessor=dict(
        batch_augments=[
            dict(type='BatchSyncRandomResize', random_size_range=(64, 128), interval=2)]),
    backbone=dict(widen_factor=0.125),
    neck=dict(in_channels=[16, 32, 64, 128]),
    bbox_head=dict(multi_task_loss=dict(uncertainty=True)),
    test_cfg=dict(score_thr=0.0))
optim_wrapper = dict(accumulative_counts=2)
"""
    + COMMON
    + """
train_dataloader = dict(
    loader, _delete_=True, batch_size=2,
    sampler=dict(type='SmallObjectSampler', small_classes=('pedestrian',)),
    dataset=dict(
        type='MultiImageMixDataset',
        dataset=dict(
            type='CocoDataset',
            data_root=data_root,
            serialize_data=False,
            ann_file='annotations/train.json',
            data_prefix=dict(img='train/'),
            metainfo=dict(classes={{{{_base_.classes}}}}),
            pipeline=[dict(type='LoadImageFromFile'), dict(type='LoadAnnotations')]),
        pipeline=[
            dict(type='Mosaic', img_scale=(96, 64), prob=0.5),
            dict(type='Resize', scale=(96, 64)),
            dict(type='PhotoMetricDistortion'),
            dict(type='RandomFlip', prob=0.5),
            dict(type='PackDetInputs')]))
val_evaluator = dict(ann_file=data_root + 'annotations/val.json')
"""
)
EVENTS = (
    """
_base_ = '{root}/configs/small/abc_synthetic_events.py'
data_root = '{data}/'
model = dict(
    backbone=dict(arch=dict(embed_dim=8, dim_head=8)),
    neck=dict(in_channels=[8, 16, 32, 64], out_channels=16),
    bbox_head=dict(
        main_head=dict(in_channels=16, feat_channels=16, stacked_convs=1),
        aux_head=dict(in_channels=16, feat_channels=16)),
    test_cfg=dict(score_thr=0.0))
"""
    + COMMON
    + """
train_dataloader = dict(
    loader, batch_size=3, batch_sampler=dict(random_share=0.3),
    dataset=dict(
        data_root=data_root, serialize_data=False, clip_length=3,
        pipeline=[
            dict(type='LoadEventClip'), dict(type='RandomFlipClip'),
            dict(type='RandomZoomClip'), dict(type='PackClipInputs')]))
"""
)


def write_images(folder: Path) -> Path:
    prepare(folder, Recipe(train=5, val=1, width=128, height=96, seed=1))
    return folder


def write_events(folder: Path) -> Path:
    """Two recordings per split: noise with boxes that mean nothing."""
    names = [('t', '<u8'), *((n, '<f4') for n in 'xywh'), ('class_id', '<u4'), ('track_id', '<u4')]
    rng = np.random.default_rng(0)
    for split, steps in (('train', 17), ('train', 11), ('val', 6)):
        ends = 50_000 * np.arange(1, steps + 1)
        labelled = np.arange(1, steps, 2)
        boxes = np.zeros(len(labelled), names)
        boxes['t'], boxes['class_id'] = ends[labelled], np.arange(len(labelled)) % 3
        boxes['x'], boxes['y'] = rng.uniform(0, 60, (2, len(labelled)))
        boxes['w'], boxes['h'] = rng.uniform(8, 30, (2, len(labelled)))
        recording = folder / split / f'of_{steps}'
        recording.mkdir(parents=True)
        write_sequence(
            recording,
            'stacked_histogram_dt=50_nbins=10',
            'event_representations_ds2_sum.h5',
            (20, 48, 64),
            iter(rng.poisson(0.3, (steps, 20, 48, 64)).astype(np.uint8)),
            FrameTimes(ends[labelled], ends, labelled),
            boxes,
        )
    return folder


def write_config(
    path: Path,
    text: str,
    data: Path,
    iterations: int,
    every: int,
    validate: int | None = None,
    workers: int = 0,
) -> Path:
    """With a checkpoint ``every`` so many iterations, and a validation as often or as given."""
    filled = text.format(
        root=ROOT,
        data=data,
        iterations=iterations,
        every=every,
        validate=validate or every,
        workers=workers,
    )
    path.write_text(filled)
    return path


def outcome(work_dir: Path, iteration: int) -> dict[str, Any]:
    """What has to be the same: all that was learned, and all that was logged of it."""
    checkpoint = torch.load(work_dir / f'iter_{iteration}.pth', weights_only=False)
    kept = ('state_dict', 'ema_state_dict', 'optimizer', 'param_schedulers', 'running_states')
    logged = {
        step: {k: v for k, v in entry.items() if not k.endswith('time')}
        for step, entry in logged_scalars(work_dir).items()
    }
    return {**{key: checkpoint[key] for key in kept}, 'logged': logged}


def assert_same(ours: Any, theirs: Any, where: str = '') -> None:
    """To the last bit."""
    assert type(ours) is type(theirs), where
    if isinstance(ours, Mapping):
        assert list(ours) == list(theirs), where
        for key in ours:
            assert_same(ours[key], theirs[key], f'{where}.{key}')
    elif isinstance(ours, (list, tuple)):
        assert len(ours) == len(theirs), where
        for i, pair in enumerate(zip(ours, theirs, strict=True)):
            assert_same(*pair, f'{where}[{i}]')
    elif isinstance(ours, torch.Tensor):
        assert torch.equal(ours, theirs), where
    else:
        assert ours == theirs or ours != ours, where
