# Data and schedule of all rungs, at the size that ABC_LADDER_SIZE names.
_base_ = [
    '../../_base_/datasets/hituav.py',
    '../../_base_/schedules/small.py',
    './size_{{$ABC_LADDER_SIZE:cpu}}.py',
]

size = _base_.size
max_iters = size.max_iters
lr = size.lr
warmup = max_iters // 20

train_pipeline = [
    dict(type='LoadImageOnce'),
    dict(type='LoadAnnotations', with_bbox=True),
    dict(type='RandomResize', scale=size.image, ratio_range=(0.8, 1.25), keep_ratio=True),
    dict(type='RandomCrop', crop_size=size.crop, allow_negative_crop=True),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PhotoMetricDistortion'),
    dict(type='Pad', size=size.crop, pad_val=dict(img=(114, 114, 114))),
    dict(type='PackDetInputs'),
]
test_pipeline = [
    dict(type='LoadImageOnce'),
    dict(type='Resize', scale=size.image, keep_ratio=True),
    dict(type='LoadAnnotations', with_bbox=True),
    dict(
        type='PackDetInputs',
        meta_keys=('img_id', 'img_path', 'ori_shape', 'img_shape', 'scale_factor')),
]
train_dataloader = dict(
    batch_size=size.batch,
    num_workers=size.workers,
    persistent_workers=size.workers > 0,
    dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(
    batch_size=size.batch,
    num_workers=size.workers,
    persistent_workers=size.workers > 0,
    dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader

train_cfg = dict(max_iters=max_iters, val_interval=max_iters)
optim_wrapper = dict(type='AmpOnGpuOptimWrapper', cpu_dtype=size.cpu_dtype, optimizer=dict(lr=lr))
param_scheduler = [
    dict(type='LinearLR', start_factor=0.01, begin=0, end=warmup, by_epoch=False),
    dict(
        type='CosineAnnealingLR',
        begin=warmup,
        T_max=max_iters - warmup,
        end=max_iters,
        eta_min=lr * 0.02,
        by_epoch=False),
]
custom_hooks = [
    dict(
        type='EMAHook',
        ema_type='ExpMomentumEMA',
        momentum=20 / max_iters,
        gamma=max_iters // 10,  # the average forgets the beginning of a short run
        update_buffers=True,
        priority=49)
]
default_hooks = dict(checkpoint=dict(interval=max(max_iters // 10, 1), max_keep_ckpts=2))
