# Views from above have no up or down: flips in both directions and both at once.
_base_ = './baseline.py'

variant = dict(order=41, title='flips in three directions')
train_pipeline = _base_.train_dataloader.dataset.pipeline
train_pipeline[4].prob = [0.25, 0.25, 0.25]
train_pipeline[4].direction = ['horizontal', 'vertical', 'diagonal']
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
