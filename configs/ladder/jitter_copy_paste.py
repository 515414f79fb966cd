# Both kinds of more small objects.
_base_ = './scale_jitter.py'

rung = dict(order=136, title='+ sizes from 0.5 to 1.5, copy-paste')
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
