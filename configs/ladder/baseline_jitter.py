# The wider range of sizes without the auxiliary task: which of the two is it?
_base_ = './baseline.py'

rung = dict(order=5, title='baseline, sizes from 0.5 to 1.5')
pipeline = _base_.train_dataloader.dataset.pipeline
pipeline[2].ratio_range = (0.5, 1.5)
train_dataloader = dict(dataset=dict(pipeline=pipeline))
