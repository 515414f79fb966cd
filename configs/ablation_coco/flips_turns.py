# All eight views of what is seen from above: flips in both directions and quarter turns.
_base_ = './flips.py'

variant = dict(order=46, title='flips in three directions, quarter turns')
train_pipeline = _base_.train_dataloader.dataset.pipeline
train_dataloader = dict(
    dataset=dict(
        pipeline=[*train_pipeline[:5], dict(type='RandomTranspose'), *train_pipeline[5:]]))
