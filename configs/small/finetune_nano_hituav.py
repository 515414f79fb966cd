# YOLOX-Nano fine-tuned from COCO on HIT-UAV, small enough for a CPU: what did best in
# configs/ablation_coco, on whole images. Three passes are enough for data like this.
_base_ = [
    '../_base_/models/yolox_nano_trimmed.py', '../_base_/datasets/hituav.py',
    '../_base_/schedules/small.py']

load_from = (
    'https://github.com/Megvii-BaseDetection/YOLOX/releases/download/0.1.1rc0/yolox_nano.pth')
max_iters = 800

# Nothing here is large and thermal images have no colours: what stride 32 and colours would cost
# goes into an input 1.19 times as large
img_scale = (608, 496)
model = dict(
    backbone=dict(type='GrayCSPDarknet'), bbox_head=dict(num_classes=len(_base_.classes)))
train_cfg = dict(max_iters=max_iters, val_interval=max_iters)
# The backbone, which has seen much more than this data, learns slower: docs/results.md
optim_wrapper = dict(paramwise_cfg=dict(custom_keys=dict(backbone=dict(lr_mult=0.1))))
# A constant learning rate, and the mean of the weights of the second half
param_scheduler = [dict(type='LinearLR', start_factor=0.01, begin=0, end=40, by_epoch=False)]
custom_hooks = [
    dict(
        type='EMAHook', ema_type='StochasticWeightAverage', begin_iter=max_iters // 2,
        update_buffers=True, priority=49)]
# A drone sees things from above, with no up or down; people and bicycles are few
changes = dict(
    Resize=dict(scale=img_scale), RandomResize=dict(scale=img_scale),
    RandomCrop=dict(crop_size=img_scale), Pad=dict(size=img_scale),
    RandomFlip=dict(prob=[0.25] * 3, direction=['horizontal', 'vertical', 'diagonal']))
train_pipeline = [dict(step, **changes.get(step.type, {})) for step in _base_.train_pipeline]
train_pipeline.insert(
    [step['type'] for step in train_pipeline].index('RandomFlip'),
    dict(
        type='SmallObjectCopyPaste', small_classes=_base_.small_classes, classes=_base_.classes,
        num_objects=(1, 5), position='uniform'))
test_pipeline = [dict(step, **changes.get(step.type, {})) for step in _base_.test_pipeline]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
