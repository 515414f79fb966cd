# The yardstick: the baseline on images 0.75 times as large.
_base_ = './baseline.py'

rung = dict(order=10, title='baseline, input x 0.75')
scale = tuple(round(side * 0.75 / 32) * 32 for side in _base_.img_scale)
mosaic = tuple(round(side * 0.75 / 32) * 32 for side in _base_.size.mosaic)
train_data = _base_.train_dataloader.dataset
tile_pipeline, mosaic_pipeline = train_data.dataset.pipeline, train_data.pipeline
tile_pipeline[2].scale, tile_pipeline[3].crop_size = scale, mosaic
mosaic_pipeline[0].img_scale = mosaic_pipeline[3].size = mosaic
mosaic_pipeline[1].border = tuple(-side // 2 for side in mosaic)
train_dataloader = dict(
    dataset=dict(dataset=dict(pipeline=tile_pipeline), pipeline=mosaic_pipeline))
test_pipeline = _base_.val_dataloader.dataset.pipeline
test_pipeline[1].scale = scale
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader
