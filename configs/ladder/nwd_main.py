# Normalised Wasserstein distance in the assigner of the main head too: a tiny box that hardly
# overlaps any prediction gets more than one prior to learn from.
_base_ = './nwd.py'

rung = dict(order=115, title='+ NWD in the main assigner')
model = dict(train_cfg=dict(assigner=dict(iou_calculator=dict(type='NWDOverlaps2D'))))
