# A schedule for small experiments, on a CPU too: AdamW, warm-up, cosine, averaged weights.
_base_ = '../default_runtime.py'

max_iters = 1500
lr = 1e-3

train_cfg = dict(type='IterBasedTrainLoop', max_iters=max_iters, val_interval=max_iters)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')

optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='AdamW', lr=lr, weight_decay=0.05),
    paramwise_cfg=dict(norm_decay_mult=0.0, bias_decay_mult=0.0),
    clip_grad=dict(max_norm=10.0))

param_scheduler = [
    dict(type='LinearLR', start_factor=0.01, begin=0, end=100, by_epoch=False),
    dict(
        type='CosineAnnealingLR',
        begin=100,
        T_max=max_iters - 100,
        end=max_iters,
        eta_min=lr * 0.02,
        by_epoch=False),
]
custom_hooks = [
    dict(
        type='EMAHook',
        ema_type='ExpMomentumEMA',
        momentum=0.001,
        update_buffers=True,
        priority=49)
]
default_hooks = dict(checkpoint=dict(interval=500, max_keep_ckpts=2))
auto_scale_lr = dict(enable=False, base_batch_size=4)
