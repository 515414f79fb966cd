# What helped, together, for views from above of what COCO knows.
_base_ = './lr_split_swa.py'

variant = dict(
    order=95,
    title='backbone x 0.1, mean of the weights of the second half, flips in three directions')
train_pipeline = _base_.train_dataloader.dataset.pipeline
train_pipeline[4].prob = [0.25, 0.25, 0.25]
train_pipeline[4].direction = ['horizontal', 'vertical', 'diagonal']
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
