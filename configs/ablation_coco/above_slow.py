# All eight views, for a backbone that learns slower and the mean of the second half.
_base_ = './best_above.py'

variant = dict(
    order=96,
    title='backbone x 0.1, mean of the weights of the second half, flips and quarter turns')
train_pipeline = _base_.train_dataloader.dataset.pipeline
train_dataloader = dict(
    dataset=dict(
        pipeline=[*train_pipeline[:5], dict(type='RandomTranspose'), *train_pipeline[5:]]))
