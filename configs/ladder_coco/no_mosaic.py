# No mosaic at any time: crops as they are.
_base_ = './baseline.py'

rung = dict(order=44, title='no mosaic')
train_data = _base_.train_dataloader.dataset
train_dataloader = dict(
    dataset=dict(
        _delete_=True,
        **{
            **train_data.dataset,
            'pipeline': [*train_data.dataset.pipeline, *train_data.pipeline[2:]],
        }))
custom_hooks = [
    _base_.custom_hooks[0],
    dict(
        type='IterModeSwitchHook',
        num_last_iters=_base_.custom_hooks[1].num_last_iters,
        skip_type_keys=()),
]
