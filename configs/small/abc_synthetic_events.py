# ABC on synthetic recordings of an event camera, from scratch on a CPU: make demo-events.
_base_ = [
    '../_base_/models/abc_maxvit_rnn.py',
    '../_base_/datasets/synthetic_events.py',
    '../_base_/schedules/small.py',
]

max_iters = 370
lr = 2e-3

model = dict(
    backbone=dict(
        arch=dict(_delete_=True, embed_dim=16, dim_head=16),
        partition_split=1, mlp_ratio=2,
        # there from the first step on: blocks that count, and a memory that lasts
        layer_scale_init=1.0,
        lstm_forget_bias=2.0),
    neck=dict(in_channels=[16, 32, 64, 128], out_channels=64, num_csp_blocks=1),
    bbox_head=dict(
        classes={{_base_.classes}},
        small_classes={{_base_.small_classes}},
        main_head=dict(
            in_channels=64, feat_channels=64, stacked_convs=2,
            loss_cls=dict(
                type='CrossEntropyLoss', use_sigmoid=True, reduction='sum', loss_weight=2.0)),
        aux_head=dict(in_channels=64, feat_channels=32, use_depthwise=False, train_cfg=None),
        multi_task_loss=dict(aux_weight=0.25)),
    train_cfg=dict(assigner=dict(type='FastSimOTAAssigner', center_radius=2.5)))

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
