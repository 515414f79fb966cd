# On strides 4 to 16 the auxiliary task fades out, too.
_base_ = './finer_best.py'

rung = dict(order=173, title='finer levels, auxiliary weight decayed to 0')
custom_hooks = [
    *_base_.custom_hooks,
    dict(
        type='MultiTaskWeightHook',
        schedule=[dict(begin=0, end=_base_.max_iters, aux_weight=0.0, curve='cosine')]),
]
