# Normalised Wasserstein distance in place of IoU in the assigner.
_base_ = './baseline.py'

variant = dict(order=52, title='NWD in the assigner')
model = dict(train_cfg=dict(assigner=dict(iou_calculator=dict(type='NWDOverlaps2D'))))
