# The best combination, whose auxiliary task fades out.
_base_ = './best.py'

rung = dict(order=144, title='+ auxiliary weight decayed to 0')
custom_hooks = [
    *_base_.custom_hooks,
    dict(
        type='MultiTaskWeightHook',
        schedule=[dict(begin=0, end=_base_.max_iters, aux_weight=0.0, curve='cosine')]),
]
