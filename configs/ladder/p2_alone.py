# On the second level alone, where there is less noise: no finer level, not even in training.
_base_ = './train_only_p1.py'

rung = dict(order=210, title='auxiliary task on P2 alone')
model = dict(
    backbone=dict(out_indices=(2, 3, 4)),
    neck=dict(in_channels=_base_.size.backbone_channels[1:], num_aux_levels=0),
    bbox_head=dict(aux_head=dict(strides=(8,))))
