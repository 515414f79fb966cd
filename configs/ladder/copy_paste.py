# Small objects are copied to free places of their image.
_base_ = './train_only_p1.py'

rung = dict(order=120, title='+ copy-paste')
paste = dict(
    type='SmallObjectCopyPaste',
    small_classes=_base_.small_classes,
    classes=_base_.classes,
    num_objects=(1, 5),
    position='uniform')  # the drone looks from above
steps = _base_.train_dataloader.dataset.pipeline
train_dataloader = dict(dataset=dict(pipeline=[*steps[:4], paste, *steps[4:]]))
