# YOLOX-s fine-tuned from COCO on frames: where to begin with data of your own. Levels by stride and
# class rows by name are taken over (docs/pretrained.md).
_base_ = [
    '../_base_/models/yolox_3level.py',
    '../_base_/datasets/etram_frames.py',
    '../_base_/schedules/small.py',
]

load_from = (
    'https://download.openmmlab.com/mmdetection/v2.0/yolox/yolox_s_8x8_300e_coco/'
    'yolox_s_8x8_300e_coco_20211121_095711-4592a793.pth')
max_iters = 10_000
lr = 1e-3

model = dict(bbox_head=dict(num_classes=len(_base_.classes)))
train_dataloader = dict(batch_size=16)
train_cfg = dict(max_iters=max_iters, val_interval=max_iters // 10)
optim_wrapper = dict(
    type='AmpOnGpuOptimWrapper',
    optimizer=dict(lr=lr),
    # the backbone, which has seen much more than this data, learns slower: docs/results.md
    paramwise_cfg=dict(custom_keys=dict(backbone=dict(lr_mult=0.1))))
# A constant learning rate, and the mean of the weights of the second half
param_scheduler = [dict(type='LinearLR', start_factor=0.01, begin=0, end=500, by_epoch=False)]
custom_hooks = [
    dict(
        type='EMAHook',
        ema_type='StochasticWeightAverage',
        begin_iter=max_iters // 2,
        update_buffers=True,
        priority=49)]
default_hooks = dict(checkpoint=dict(interval=max_iters // 10))
auto_scale_lr = dict(base_batch_size=16)
