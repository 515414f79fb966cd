# The same with a pyramid half as wide, too.
_base_ = './finer_best.py'

rung = dict(order=177, title='finer levels, slim pyramid, auxiliary weight 0.25')
slim = _base_.size.channels // 2
model = dict(
    neck=dict(out_channels=slim),
    bbox_head=dict(main_head=dict(in_channels=slim), aux_head=dict(in_channels=slim)))
