# And small boxes weigh more in the box loss.
_base_ = './four_level.py'

rung = dict(order=20, title='+ size-aware box loss')
model = dict(
    bbox_head=dict(
        loss_bbox=dict(
            type='SizeAwareIoULoss', mode='square', eps=1e-16, reduction='sum', loss_weight=5.0)))
