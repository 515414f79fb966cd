# The backbone, which has seen much more than this data, learns slower than what is new.
_base_ = './baseline.py'

variant = dict(order=30, title='learning rate of the backbone x 0.1')
optim_wrapper = dict(paramwise_cfg=dict(custom_keys=dict(backbone=dict(lr_mult=0.1))))
