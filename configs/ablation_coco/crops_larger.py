# Objects larger than at inference: crops of images at 1 to 1.5 times their size.
_base_ = './baseline.py'

variant = dict(order=43, title='sizes from 1 to 1.5')
train_pipeline = _base_.train_dataloader.dataset.pipeline
train_pipeline[2].ratio_range = (1.0, 1.5)
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
