# The best combination on images 1.25 times as large, at 1.5 times the cost.
_base_ = './best.py'

rung = dict(order=150, title='best with train-only P1 at 1.25 times the resolution')
larger = tuple(5 * side // 4 for side in _base_.size.image)
crop = tuple(5 * side // 4 for side in _base_.size.crop)
pipeline = _base_.train_dataloader.dataset.pipeline
pipeline[2].scale, pipeline[3].crop_size, pipeline[6].size = larger, crop, crop
train_dataloader = dict(dataset=dict(pipeline=pipeline))
test_pipeline = _base_.val_dataloader.dataset.pipeline
test_pipeline[1].scale = larger
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader
