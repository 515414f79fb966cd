# A level of stride 4 that starts as that of stride 8, so that fine-tuning begins with what COCO's
# detector detects and learns from the backbone's stride 4 from there. Costs half as much again.
_base_ = './baseline.py'

rung = dict(order=80, title='stride 4, grown from stride 8')
model = dict(
    backbone=dict(out_indices=(1, 2, 3, 4)),
    neck=dict(
        type='GrownPAFPN', in_channels=[_base_.channels // 2, *_base_.model.neck.in_channels]),
    bbox_head=dict(type='GrownYOLOXHead', strides=(4, 8, 16, 32)))
