# Small objects, of this image and of two others, are copied to free places.
_base_ = './train_only_p1.py'

rung = dict(order=120, title='+ copy-paste')
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
