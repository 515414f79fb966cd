# YOLOX-Nano on strides 8 and 16, which takes the COCO weights of YOLOX-Nano.
_base_ = './yolox_trimmed.py'

model = dict(
    backbone=dict(widen_factor=0.25, use_depthwise=True),
    neck=dict(in_channels=[64, 128, 256], out_channels=64, use_depthwise=True),
    bbox_head=dict(in_channels=64, feat_channels=64, use_depthwise=True))
