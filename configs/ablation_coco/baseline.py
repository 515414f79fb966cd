# YOLOX on strides 8, 16, 32, fine-tuned from COCO: what all of variants.py is compared with.
# Crops of images at 0.8 to 1.25 times their size, flips, changed brightness and contrast, averaged
# weights, in the last part the L1 loss. No mosaic, which loses on DeepPCB.
_base_ = [
    '../_base_/models/yolox_3level.py',
    '../_base_/datasets/{{$ABC_ABLATION_DATA:hituav}}.py',
    '../_base_/schedules/small.py',
]

datasets = ('hituav', 'deeppcb')  # study.py --data: files in ../_base_/datasets
sizes = dict(  # study.py --size
    cpu=dict(  # YOLOX-Nano, which learns from crops of 256 x 256 pixels
        weights='{{$ABC_YOLOX_NANO:weights/yolox_nano_coco.pth}}',
        width=0.25,
        depthwise=True,
        crop=(256, 256),
        batch=8,
        workers=0,  # a run has one core, and decoded images stay in memory
        max_iters=dict(hituav=400, deeppcb=800),
        lr=1e-3,
        # an input that costs as much on strides 8 and 16 without colours
        trimmed=dict(hituav=(608, 496), deeppcb=(464, 464), crop=(320, 320))),
    gpu=dict(  # YOLOX-s on crops of 640 x 640 pixels, mixed precision
        weights=(
            'https://download.openmmlab.com/mmdetection/v2.0/yolox/yolox_s_8x8_300e_coco/'
            'yolox_s_8x8_300e_coco_20211121_095711-4592a793.pth'),
        width=0.5,
        depthwise=False,
        crop=(640, 640),
        batch=16,
        workers=8,
        max_iters=dict(hituav=3000, deeppcb=6000),
        lr=1e-3,
        trimmed=dict(hituav=(560, 448), deeppcb=(416, 416), crop=(704, 704))))

size = sizes['{{$ABC_ABLATION_SIZE:cpu}}']
max_iters = size['max_iters']['{{$ABC_ABLATION_DATA:hituav}}']
trimmed_scale = size['trimmed']['{{$ABC_ABLATION_DATA:hituav}}']
trimmed_crop = size['trimmed']['crop']
warmup = max_iters // 20
lr = size['lr']
channels = int(256 * size['width'])
load_from = size['weights']
two_stages = [  # CSPDarknet without its last stage
    [64, 128, 3, True, False], [128, 256, 9, True, False], [256, 512, 9, True, False]]

model = dict(
    backbone=dict(widen_factor=size['width'], use_depthwise=size['depthwise']),
    neck=dict(
        in_channels=[channels, 2 * channels, 4 * channels],
        out_channels=channels,
        use_depthwise=size['depthwise']),
    bbox_head=dict(
        num_classes=len(_base_.classes),
        in_channels=channels,
        feat_channels=channels,
        use_depthwise=size['depthwise']))

train_pipeline = [
    dict(type='LoadImageOnce'),
    dict(type='LoadAnnotations', with_bbox=True),
    dict(
        type='RandomResize', scale=_base_.img_scale, ratio_range=(0.8, 1.25), keep_ratio=True),
    dict(type='RandomCrop', crop_size=size['crop'], allow_negative_crop=True),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PhotoMetricDistortion'),
    dict(type='Pad', size=size['crop'], pad_val=dict(img=(114, 114, 114))),
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
loader = dict(
    batch_size=size['batch'],
    num_workers=size['workers'],
    persistent_workers=size['workers'] > 0)
train_dataloader = dict(**loader, dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(**loader, dataset=dict(pipeline=test_pipeline))
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
