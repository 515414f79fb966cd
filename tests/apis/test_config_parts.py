"""Parts of configs."""

import pytest
from mmengine.config import Config

from abc_mmdet.apis.config_parts import common, type_name
from abc_mmdet.errors import UserError
from mmdet.models import YOLOX


def config(*pipelines: list | None, outer: list | None = None, **more: object) -> Config:
    datasets = [
        dict(type='CocoDataset', metainfo=dict(classes=('a', 'b'), palette=[i]), pipeline=pipeline)
        for i, pipeline in enumerate(pipelines)
    ]
    wrapped = dict(type='ConcatDataset', datasets=datasets, **more)
    if outer:
        wrapped = dict(type='MultiImageMixDataset', dataset=wrapped, pipeline=outer)
    return Config(dict(test_dataloader=dict(dataset=wrapped)))


def test_what_data_sets_have_in_common() -> None:
    one, other = [dict(type='LoadImageFromFile')], [dict(type='LoadImageFromWebcam')]
    assert common(config(one), 'test_dataloader', 'pipeline') == one
    assert common(config(one, one), 'test_dataloader', 'pipeline') == one
    assert common(config(one, None), 'test_dataloader', 'pipeline') == one
    assert common(config(None), 'test_dataloader', 'pipeline') is None
    assert common(config(one), 'val_dataloader', 'pipeline') is None
    assert common(config(one, other, outer=other), 'test_dataloader', 'pipeline') == other
    assert common(config(one, other), 'test_dataloader', 'metainfo', 'classes') == ('a', 'b')
    where = r'dataset\.datasets\[0\]\.pipeline and .*dataset\.datasets\[1\]\.pipeline differ'
    with pytest.raises(UserError, match=where):
        common(config(one, other), 'test_dataloader', 'pipeline')


def test_type_by_name_and_as_a_class() -> None:
    for kind in ('YOLOX', 'mmdet.YOLOX', YOLOX):
        assert type_name(dict(type=kind)) == 'YOLOX'
    assert type_name({}) == ''
