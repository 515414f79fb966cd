# Small objects of the crop are copied to free places of it.
_base_ = './baseline.py'

variant = dict(order=40, title='copy-paste')
train_pipeline = _base_.train_dataloader.dataset.pipeline
paste = dict(
    type='SmallObjectCopyPaste',
    small_classes=_base_.small_classes,
    classes=_base_.classes,
    num_objects=(1, 5),
    position='uniform')
train_dataloader = dict(
    dataset=dict(pipeline=[*train_pipeline[:4], paste, *train_pipeline[4:]]))
