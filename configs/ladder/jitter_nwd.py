# Both of what helped so far.
_base_ = './nwd.py'

rung = dict(order=134, title='+ sizes from 0.5 to 1.5, NWD')
pipeline = _base_.train_dataloader.dataset.pipeline
pipeline[2].ratio_range = (0.5, 1.5)
train_dataloader = dict(dataset=dict(pipeline=pipeline))
