# YOLOX-Nano from COCO on images of events, without memory, on synthetic recordings, on a CPU: what
# all of variants.py is compared with.
_base_ = [
    '../_base_/models/yolox_nano_adapter.py',
    '../_base_/datasets/synthetic_events.py',
    '../_base_/schedules/small.py',
]

max_iters = 520
warmup = max_iters // 10
lr = 2e-3
load_from = '{{$ABC_YOLOX_NANO:weights/yolox_nano_coco.pth}}'

model = dict(bbox_head=dict(num_classes=len(_base_.classes)), adapter=None)

train_dataloader = dict(num_workers=0, persistent_workers=False)
val_dataloader = dict(num_workers=0, persistent_workers=False)
train_cfg = dict(max_iters=max_iters, val_interval=max_iters)
optim_wrapper = dict(optimizer=dict(lr=lr))
param_scheduler = [
    dict(type='LinearLR', start_factor=0.01, begin=0, end=warmup, by_epoch=False),
    dict(
        type='CosineAnnealingLR', begin=warmup, T_max=max_iters - warmup, end=max_iters,
        eta_min=lr * 0.02, by_epoch=False)]
custom_hooks = []  # too short for averaged weights
