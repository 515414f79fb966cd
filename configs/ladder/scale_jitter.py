# A wider range of sizes, as when the camera flies higher or lower: down to half, where a crop shows
# more objects, and smaller ones.
_base_ = './train_only_p1.py'

rung = dict(order=130, title='+ sizes from 0.5 to 1.5')
pipeline = _base_.train_dataloader.dataset.pipeline
pipeline[2].ratio_range = (0.5, 1.5)
train_dataloader = dict(dataset=dict(pipeline=pipeline))
