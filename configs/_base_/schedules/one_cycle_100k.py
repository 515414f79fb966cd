# RVT's recipe: AdamW without weight decay, linear one-cycle, mixed precision on a GPU.
# Learning rate 2e-4 * sqrt(batch / 8), here for a batch of 6.
max_iters = 100_000
lr = 1.73e-4

train_cfg = dict(type='IterBasedTrainLoop', max_iters=max_iters, val_interval=10_000)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')

optim_wrapper = dict(
    type='AmpOnGpuOptimWrapper',
    optimizer=dict(type='AdamW', lr=lr, weight_decay=0.0),
    clip_grad=dict(type='value', clip_value=1.0))

param_scheduler = [
    dict(
        type='OneCycleLR',
        eta_max=lr,
        total_steps=max_iters,
        pct_start=0.005,
        anneal_strategy='linear',
        div_factor=20.0,  # as in RVT's experiments
        final_div_factor=500.0,  # of the first rate: the last one is lr / 10000
        by_epoch=False)
]
auto_scale_lr = dict(enable=False, base_batch_size=6)
