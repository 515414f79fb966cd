"""Parts of configs."""

from pathlib import Path

import pytest
from mmengine.config import Config
from mmengine.runner import Runner

from abc_mmdet.apis import load_experiment
from abc_mmdet.apis.standard_config import add_standard_hooks, common, type_name
from abc_mmdet.datasets.synthetic.coco_export import Recipe, prepare
from abc_mmdet.engine import ClassNamesHook
from abc_mmdet.errors import UserError
from mmdet.engine.hooks import NumClassCheckHook
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


ROOT = Path(__file__).parents[2]
TINY = {
    'model.backbone.widen_factor': 0.125,
    'model.backbone.deepen_factor': 0.1,
    'model.neck.in_channels': [16, 32, 64, 128],
    'train_dataloader.batch_size': 1,
    'train_dataloader.num_workers': 0,
    'train_dataloader.persistent_workers': False,
    'train_cfg.max_iters': 1,
    'val_dataloader': None,
    'val_evaluator': None,
    'val_cfg': None,
}


@pytest.mark.parametrize('kind', ['NumClassCheckHook', 'mmdet.NumClassCheckHook', 'class'])
def test_mmdetections_class_check_lets_an_abc_head_train(kind: str, tmp_path: Path) -> None:
    """It stands in MMDetection's SSD configs, and counts classes of the auxiliary head, too."""
    prepare(tmp_path / 'data', Recipe(train=2, val=1, width=128, height=96), False)
    options = {**TINY, 'data_root': str(tmp_path / 'data')}
    config = load_experiment(
        str(ROOT / 'configs/small/abc_synthetic.py'), options, str(tmp_path / 'work')
    )
    hook = NumClassCheckHook if kind == 'class' else kind
    config.custom_hooks = [dict(type=hook), dict(type='EMAHook')]
    add_standard_hooks(config)
    assert [h['type'] for h in config.custom_hooks] == ['ClassNamesHook', 'EMAHook']
    if kind != 'class':  # the others come to the same config
        return
    config.experiment_name = tmp_path.name
    runner = Runner.from_cfg(config)
    runner.train()
    assert runner.iter == 1
    # As it was, the hook stopped this model, and ours still stops one of other classes
    with pytest.raises(AssertionError):
        NumClassCheckHook().before_train_epoch(runner)
    runner.model.bbox_head.classes = tuple(reversed(config.classes))
    with pytest.raises(UserError, match='classes'):
        ClassNamesHook().before_train(runner)
