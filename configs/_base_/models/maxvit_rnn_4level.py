# RVT-B with YOLOX on strides 4, 8, 16, 32.
_base_ = './maxvit_rnn_3level.py'

model = dict(
    backbone=dict(out_indices=(0, 1, 2, 3)),
    neck=dict(type='ABCPAFPN', in_channels=[64, 128, 256, 512]),
    bbox_head=dict(strides=(4, 8, 16, 32)))
