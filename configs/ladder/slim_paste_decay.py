# And small objects copied to free places, and the auxiliary task fades out.
_base_ = './slim_best.py'

rung = dict(order=166, title='4 slim levels, copy-paste, auxiliary weight decayed to 0')
steps = _base_.train_dataloader.dataset.pipeline
paste = dict(
    type='SmallObjectCopyPaste',
    small_classes=_base_.small_classes,
    classes=_base_.classes,
    num_objects=(1, 5),
    num_other_images=2,
    position='uniform')  # the drone looks from above
images = dict(_base_.train_dataloader.dataset, pipeline=steps[:4])
train_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type='MultiImageMixDataset',
        dataset=images,
        pipeline=[paste, *steps[4:]]))
custom_hooks = [
    *_base_.custom_hooks,
    dict(
        type='MultiTaskWeightHook',
        schedule=[dict(begin=0, end=_base_.max_iters, aux_weight=0.0, curve='cosine')]),
]
