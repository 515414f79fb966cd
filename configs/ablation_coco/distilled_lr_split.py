# The teacher, and a backbone that learns slower.
_base_ = './distilled.py'

variant = dict(order=91, title='teacher, learning rate of the backbone x 0.1')
optim_wrapper = dict(paramwise_cfg=dict(custom_keys=dict(backbone=dict(lr_mult=0.1))))
