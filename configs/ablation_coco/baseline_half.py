# The baseline trained half as long: has its curve become flat?
_base_ = './baseline.py'

variant = dict(order=1, title='baseline, half as long')
max_iters = _base_.max_iters // 2
warmup = max_iters // 20
train_cfg = dict(max_iters=max_iters, val_interval=max_iters)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.01, begin=0, end=warmup, by_epoch=False),
    dict(
        type='CosineAnnealingLR',
        begin=warmup,
        T_max=max_iters - warmup,
        end=max_iters,
        eta_min=_base_.lr * 0.02,
        by_epoch=False),
]
custom_hooks = [
    dict(
        type='EMAHook',
        ema_type='ExpMomentumEMA',
        momentum=20 / max_iters,
        gamma=max_iters // 10,
        update_buffers=True,
        priority=49),
    dict(type='IterModeSwitchHook', num_last_iters=max_iters * 3 // 20, skip_type_keys=()),
]
default_hooks = dict(checkpoint=dict(interval=max(max_iters // 10, 1)))
