# A wider range of sizes, down to half: small objects from large ones.
_base_ = './baseline.py'

variant = dict(order=42, title='sizes from 0.5 to 1.5')
train_pipeline = _base_.train_dataloader.dataset.pipeline
train_pipeline[2].ratio_range = (0.5, 1.5)
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
