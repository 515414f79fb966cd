# YOLOX-Nano fine-tuned from COCO on HIT-UAV, small enough for a CPU: what did best in
# configs/ablation_coco, on whole images. Three passes are enough for data like this.
_base_ = [
    '../_base_/models/yolox_nano_3level.py',
    '../_base_/datasets/hituav.py',
    '../_base_/schedules/small.py',
]

load_from = (
    'https://github.com/Megvii-BaseDetection/YOLOX/releases/download/0.1.1rc0/yolox_nano.pth')
max_iters = 800

model = dict(bbox_head=dict(num_classes=len(_base_.classes)))
train_cfg = dict(max_iters=max_iters, val_interval=max_iters)
# The backbone, which has seen much more than this data, learns slower: docs/results.md
optim_wrapper = dict(paramwise_cfg=dict(custom_keys=dict(backbone=dict(lr_mult=0.1))))
# A constant learning rate, and the mean of the weights of the second half
param_scheduler = [dict(type='LinearLR', start_factor=0.01, begin=0, end=40, by_epoch=False)]
custom_hooks = [
    dict(
        type='EMAHook',
        ema_type='StochasticWeightAverage',
        begin_iter=max_iters // 2,
        update_buffers=True,
        priority=49)]
# A drone sees things from above, with no up or down
train_pipeline = _base_.train_pipeline
next(step for step in train_pipeline if step.type == 'RandomFlip').update(
    prob=[0.25] * 3, direction=['horizontal', 'vertical', 'diagonal'])
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
