# Mosaic of four crops that keep their size, but for the last part of the training.
_base_ = './baseline.py'

variant = dict(order=44, title='mosaic')
crop = _base_.size.crop
train_pipeline = _base_.train_dataloader.dataset.pipeline
mosaic = [
    dict(type='Mosaic', img_scale=crop, pad_val=114.0),
    dict(
        type='RandomAffine',
        max_rotate_degree=0,  # boxes around turned boxes are loose, which small objects feel
        max_shear_degree=0,
        scaling_ratio_range=(0.9, 1.1),
        border=(-crop[0] // 2, -crop[1] // 2)),
]
train_dataset = _base_.train_dataloader.dataset
train_dataset.pipeline = train_pipeline[:5]
train_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type='MultiImageMixDataset',
        dataset=train_dataset,
        pipeline=[*mosaic, *train_pipeline[5:]]))
custom_hooks = [
    _base_.custom_hooks[0],
    dict(type='IterModeSwitchHook', num_last_iters=_base_.custom_hooks[1].num_last_iters),
]
