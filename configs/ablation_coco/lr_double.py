# Twice the learning rate.
_base_ = './baseline.py'

variant = dict(order=33, title='learning rate x 2')
lr = 2 * _base_.lr
optim_wrapper = dict(optimizer=dict(lr=lr))
schedulers = _base_.param_scheduler
schedulers[1].eta_min = lr * 0.02
param_scheduler = schedulers
