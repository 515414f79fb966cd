# The recipe for views from above, and copies of small objects in free places.
_base_ = './best_above.py'

variant = dict(
    order=98,
    title='backbone x 0.1, mean of the weights of the second half, flips in three directions, '
    'copy-paste')
train_pipeline = _base_.train_dataloader.dataset.pipeline
paste = dict(
    type='SmallObjectCopyPaste',
    small_classes=_base_.small_classes,
    classes=_base_.classes,
    num_objects=(1, 5),
    position='uniform')
train_dataloader = dict(
    dataset=dict(pipeline=[*train_pipeline[:4], paste, *train_pipeline[4:]]))
