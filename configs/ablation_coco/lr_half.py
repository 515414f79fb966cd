# Half the learning rate.
_base_ = './baseline.py'

variant = dict(order=31, title='learning rate x 0.5')
lr = 0.5 * _base_.lr
optim_wrapper = dict(optimizer=dict(lr=lr))
schedulers = _base_.param_scheduler
schedulers[1].eta_min = lr * 0.02
param_scheduler = schedulers
