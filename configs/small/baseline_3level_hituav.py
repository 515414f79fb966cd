# The 3-level baseline on HIT-UAV, small enough for a CPU.
_base_ = [
    '../_base_/models/yolox_3level.py',
    '../_base_/datasets/hituav.py',
    '../_base_/schedules/small.py',
]

model = dict(
    backbone=dict(widen_factor=0.25),
    neck=dict(in_channels=[64, 128, 256], out_channels=48),
    bbox_head=dict(num_classes=3, in_channels=48, feat_channels=48))
