# The deeper a layer, the slower it learns: backbone, neck, head.
_base_ = './baseline.py'

variant = dict(order=34, title='learning rate of the backbone x 0.1, of the neck x 0.3')
optim_wrapper = dict(
    paramwise_cfg=dict(
        custom_keys=dict(backbone=dict(lr_mult=0.1), neck=dict(lr_mult=0.3))))
