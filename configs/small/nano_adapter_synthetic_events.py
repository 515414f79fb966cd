# YOLOX-Nano from COCO with a memory on synthetic recordings, on a CPU. With the weights elsewhere:
# --cfg-options load_from=FILE
_base_ = [
    '../_base_/models/yolox_nano_adapter.py',
    '../_base_/datasets/synthetic_events.py',
    '../_base_/schedules/small.py',
]

load_from = (
    'https://github.com/Megvii-BaseDetection/YOLOX/releases/download/0.1.1rc0/yolox_nano.pth')
max_iters = 370
lr = 2e-3

model = dict(
    bbox_head=dict(num_classes=len(_base_.classes)),
    adapter=dict(forget_bias=2.0))  # a memory that lasts from the first step on
train_cfg = dict(max_iters=max_iters, val_interval=max_iters)
optim_wrapper = dict(optimizer=dict(lr=lr))
param_scheduler = [
    dict(type='LinearLR', start_factor=0.01, begin=0, end=40, by_epoch=False),
    dict(
        type='CosineAnnealingLR', begin=40, T_max=max_iters - 40, end=max_iters,
        eta_min=lr * 0.02, by_epoch=False)]
custom_hooks = []  # too short for averaged weights
default_hooks = dict(
    checkpoint=dict(interval=max_iters), visualization=dict(type='EventVisualizationHook'))
