# The mean of the weights of the second half, for a backbone that learns slower.
_base_ = './swa.py'

variant = dict(
    order=61, title='mean of the weights of the second half, learning rate of the backbone x 0.1')
optim_wrapper = dict(paramwise_cfg=dict(custom_keys=dict(backbone=dict(lr_mult=0.1))))
