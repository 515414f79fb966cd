# The finest level exists in training only: the baseline's network at inference. The plain sum of
# the two tasks, which all that decides about their gradients has to beat.
_base_ = './aux_025.py'

rung = dict(order=60, title='train-only P1')
model = dict(
    neck=dict(num_aux_levels=1), bbox_head=dict(main_head=dict(strides=(8, 16, 32))))
