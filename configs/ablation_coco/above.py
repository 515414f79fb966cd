# All eight views and the mean of the weights of the second half.
_base_ = './swa.py'

variant = dict(
    order=97, title='mean of the weights of the second half, flips and quarter turns')
train_pipeline = _base_.train_dataloader.dataset.pipeline
train_pipeline[4].prob = [0.25, 0.25, 0.25]
train_pipeline[4].direction = ['horizontal', 'vertical', 'diagonal']
train_dataloader = dict(
    dataset=dict(
        pipeline=[*train_pipeline[:5], dict(type='RandomTranspose'), *train_pipeline[5:]]))
