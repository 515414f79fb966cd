# The mean of the weights of the second half, at a constant learning rate (Izmailov et al., 2018).
_base_ = './baseline.py'

variant = dict(order=60, title='mean of the weights of the second half, constant learning rate')
param_scheduler = [_base_.param_scheduler[0]]
custom_hooks = [
    dict(
        type='EMAHook',
        ema_type='StochasticWeightAverage',
        begin_iter=_base_.max_iters // 2,
        update_buffers=True,
        priority=49),
    _base_.custom_hooks[1],
]
