# Three levels in training as well: the auxiliary task without any finer level.
_base_ = './aux_025.py'

rung = dict(order=220, title='auxiliary task on P2, 3 levels')
model = dict(
    backbone=dict(out_indices=(2, 3, 4)),
    neck=dict(in_channels=_base_.size.backbone_channels[1:]),
    bbox_head=dict(main_head=dict(strides=(8, 16, 32)), aux_head=dict(strides=(8,))))
