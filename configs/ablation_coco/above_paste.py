# All eight views, the mean of the weights of the second half, and copies of small objects.
_base_ = './above.py'

variant = dict(
    order=99,
    title='mean of the weights of the second half, flips and quarter turns, copy-paste')
train_pipeline = _base_.train_dataloader.dataset.pipeline
paste = dict(
    type='SmallObjectCopyPaste',
    small_classes=_base_.small_classes,
    classes=_base_.classes,
    num_objects=(1, 5),
    position='uniform')
train_dataloader = dict(
    dataset=dict(pipeline=[*train_pipeline[:4], paste, *train_pipeline[4:]]))
