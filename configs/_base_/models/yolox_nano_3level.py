# YOLOX-Nano, as in MMDetection: depthwise, a quarter as wide as YOLOX-l. It takes the COCO weights
# of yolox_nano_8xb8-300e_coco.py.
_base_ = './yolox_3level.py'

model = dict(
    backbone=dict(widen_factor=0.25, use_depthwise=True),
    neck=dict(in_channels=[64, 128, 256], out_channels=64, use_depthwise=True),
    bbox_head=dict(in_channels=64, feat_channels=64, use_depthwise=True))
