# The auxiliary task fades out in steps, so that the end of the training is the main task's.
_base_ = './aux_025.py'

rung = dict(order=60, title='auxiliary weight 0.25, decayed in steps')
custom_hooks = [
    *_base_.custom_hooks,
    dict(
        type='MultiTaskWeightHook',
        schedule=[
            dict(begin=_base_.max_iters // 2, aux_weight=0.1),
            dict(begin=_base_.max_iters * 4 // 5, aux_weight=0.0),
        ]),
]
