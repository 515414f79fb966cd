# Mosaic for a backbone that learns slower.
_base_ = './mosaic.py'

variant = dict(order=45, title='mosaic, learning rate of the backbone x 0.1')
optim_wrapper = dict(paramwise_cfg=dict(custom_keys=dict(backbone=dict(lr_mult=0.1))))
