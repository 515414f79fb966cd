"""How pictures reach the network, whatever the test data set is wrapped in."""

import pytest
from mmengine.config import Config

from abc_mmdet.apis.inference_model import named_in_config
from abc_mmdet.apis.picture_pipeline import picture_pipeline
from abc_mmdet.errors import UserError

RESIZE = dict(type='Resize', scale=(64, 64), keep_ratio=True)


def config(*sizes: int) -> Config:
    datasets = [
        dict(
            type='CocoDataset',
            metainfo=dict(classes=('car', 'van')),
            pipeline=[
                dict(type='LoadImageFromFile', to_float32=True),
                dict(RESIZE, scale=(size, size)),
                dict(type='LoadAnnotations', with_bbox=True),
                dict(type='PackDetInputs'),
            ],
        )
        for size in sizes
    ]
    return Config(dict(test_dataloader=dict(dataset=dict(type='ConcatDataset', datasets=datasets))))


def test_data_sets_side_by_side() -> None:
    load, resize, pack = picture_pipeline(config(64, 64))
    assert load == dict(type='mmdet.LoadImageFromNDArray', to_float32=True)
    assert (resize, pack['type']) == (RESIZE, 'PackDetInputs')
    assert named_in_config(config(64, 64)) == ('car', 'van')
    with pytest.raises(UserError, match=r'datasets\[1\]\.pipeline differ'):
        picture_pipeline(config(64, 32))
    assert named_in_config(config(64, 32)) == ('car', 'van'), 'these are the same'


def test_none_at_all() -> None:
    for without in (Config({}), config(), Config(dict(val_dataloader=None))):
        with pytest.raises(UserError, match=r'test_dataloader\.dataset has no pipeline'):
            picture_pipeline(without)
