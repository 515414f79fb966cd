# The yardstick: the baseline on images 0.75 times as large.
_base_ = './baseline.py'

variant = dict(order=10, title='baseline, input x 0.75')
scale = tuple(round(side * 0.75 / 32) * 32 for side in _base_.img_scale)
crop = tuple(round(side * 0.75 / 32) * 32 for side in _base_.size.crop)
train_pipeline = _base_.train_dataloader.dataset.pipeline
train_pipeline[2].scale = scale
train_pipeline[3].crop_size = train_pipeline[6].size = crop
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
test_pipeline = _base_.val_dataloader.dataset.pipeline
test_pipeline[1].scale = scale
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader
