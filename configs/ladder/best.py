# The best combination: train-only P1, NWD, and sizes from 0.5 to 1.5.
_base_ = './nwd.py'

rung = dict(order=140, title='best with train-only P1: NWD, sizes from 0.5 to 1.5')
pipeline = _base_.train_dataloader.dataset.pipeline
pipeline[2].ratio_range = (0.5, 1.5)
train_dataloader = dict(dataset=dict(pipeline=pipeline))
