# The auxiliary task fades out, so that the end of the training is the main task's.
_base_ = './train_only_p1.py'

rung = dict(order=70, title='auxiliary weight decayed to 0')
custom_hooks = [
    *_base_.custom_hooks,
    dict(
        type='MultiTaskWeightHook',
        schedule=[dict(begin=0, end=_base_.max_iters, aux_weight=0.0, curve='cosine')]),
]
