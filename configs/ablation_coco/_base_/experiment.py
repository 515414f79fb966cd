# Data, schedule and weights of all variants. Data set: ABC_ABLATION_DATA; size: ABC_ABLATION_SIZE.
# Crops of images at 0.8 to 1.25 times their size, flips, changed brightness and contrast, averaged
# weights, in the last part the L1 loss. No mosaic, which loses on DeepPCB (mosaic.py).
_base_ = [
    '../../_base_/models/yolox_3level.py',
    './data_{{$ABC_ABLATION_DATA:hituav}}.py',
    '../../_base_/schedules/small.py',
    './size_{{$ABC_ABLATION_SIZE:cpu}}.py',
]

size = _base_.size
width = size.width
classes = _base_.classes
channels = int(256 * width)
max_iters = size.max_iters['{{$ABC_ABLATION_DATA:hituav}}']
lr = size.lr
warmup = max_iters // 20
load_from = size.weights

model = dict(
    backbone=dict(widen_factor=width, use_depthwise=size.depthwise),
    neck=dict(
        in_channels=[channels, 2 * channels, 4 * channels],
        out_channels=channels,
        use_depthwise=size.depthwise),
    bbox_head=dict(
        num_classes=len(classes),
        in_channels=channels,
        feat_channels=channels,
        use_depthwise=size.depthwise))

train_pipeline = [
    dict(type='LoadImageOnce'),
    dict(type='LoadAnnotations', with_bbox=True),
    dict(
        type='RandomResize', scale=_base_.img_scale, ratio_range=(0.8, 1.25), keep_ratio=True),
    dict(type='RandomCrop', crop_size=size.crop, allow_negative_crop=True),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PhotoMetricDistortion'),
    dict(type='Pad', size=size.crop, pad_val=dict(img=(114, 114, 114))),
    dict(type='FilterAnnotations', min_gt_bbox_wh=(2, 2), keep_empty=False),
    dict(type='PackDetInputs'),
]
test_pipeline = [
    dict(type='LoadImageOnce'),
    dict(type='Resize', scale=_base_.img_scale, keep_ratio=True),
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
optim_wrapper = dict(type='AmpOnGpuOptimWrapper', optimizer=dict(lr=lr))
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
        priority=49),
    dict(type='IterModeSwitchHook', num_last_iters=max_iters * 3 // 20, skip_type_keys=()),
]
default_hooks = dict(checkpoint=dict(interval=max(max_iters // 10, 1), max_keep_ckpts=2))
