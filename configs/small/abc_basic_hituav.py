# ABC as published on HIT-UAV, small enough for a CPU.
_base_ = [
    '../_base_/models/abc_yolox.py',
    '../_base_/datasets/hituav.py',
    '../_base_/schedules/small.py',
]

model = dict(
    backbone=dict(widen_factor=0.25),
    neck=dict(in_channels=[32, 64, 128, 256], out_channels=48),
    bbox_head=dict(
        classes={{_base_.classes}},
        small_classes={{_base_.small_classes}},
        main_head=dict(in_channels=48, feat_channels=48),
        aux_head=dict(in_channels=48, feat_channels=32, use_depthwise=False)))
