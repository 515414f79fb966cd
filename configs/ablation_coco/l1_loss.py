# The L1 loss of the boxes from the first iteration on, not in the last part alone.
_base_ = './baseline.py'

variant = dict(order=53, title='L1 loss throughout')
custom_hooks = [
    _base_.custom_hooks[0],
    dict(type='IterModeSwitchHook', num_last_iters=_base_.max_iters, skip_type_keys=()),
]
