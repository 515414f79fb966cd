# Half of the images as their negative: warm things dark.
_base_ = './baseline.py'

variant = dict(order=47, title='half of the images inverted')
train_pipeline = _base_.train_dataloader.dataset.pipeline
train_dataloader = dict(
    dataset=dict(
        pipeline=[*train_pipeline[:4], dict(type='Invert', prob=0.5), *train_pipeline[4:]]))
