# Small objects, of this tile and of another image, are copied to free places.
_base_ = './baseline.py'

rung = dict(order=40, title='copy-paste')
tile_pipeline = _base_.train_dataloader.dataset.dataset.pipeline
paste = dict(
    type='SmallObjectCopyPaste',
    small_classes=_base_.small_classes,
    classes=_base_.classes,
    num_objects=(1, 3),
    position='uniform')
train_dataloader = dict(
    dataset=dict(dataset=dict(pipeline=[*tile_pipeline, paste])))
