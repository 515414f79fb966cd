# YOLOX on strides 4, 8, 16, 32.
_base_ = './yolox_3level.py'

model = dict(
    backbone=dict(out_indices=(1, 2, 3, 4)),
    neck=dict(type='ABCPAFPN', in_channels=[64, 128, 256, 512]),
    bbox_head=dict(strides=(4, 8, 16, 32)))
