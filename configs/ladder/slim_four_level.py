# The fourth level at the baseline's FLOPs: pyramid and head half as wide, one convolution a tower.
_base_ = './four_level.py'

rung = dict(order=160, title='4 slim levels')
slim = _base_.size.channels // 2
model = dict(
    neck=dict(out_channels=slim),
    bbox_head=dict(in_channels=slim, feat_channels=slim, stacked_convs=1))
