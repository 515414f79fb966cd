# The same network, with the auxiliary task at the weight that teaches best.
_base_ = './aux_025.py'

rung = dict(order=162, title='4 slim levels, auxiliary weight 0.25')
slim = _base_.size.channels // 2
model = dict(
    neck=dict(out_channels=slim),
    bbox_head=dict(
        main_head=dict(in_channels=slim, feat_channels=slim, stacked_convs=1),
        aux_head=dict(in_channels=slim)))
