from pathlib import Path

import pytest
from mmengine.config import Config

from abc_mmdet.errors import UserError
from abc_mmdet.study.config_changes import change_parts, change_pipelines
from mmdet.registry import DATASETS


def pipeline() -> list[dict]:
    return [
        dict(type='LoadImageFromFile'),
        dict(type='LoadAnnotations', with_bbox=True),
        dict(type='Resize', scale=(64, 48), keep_ratio=True),
        dict(type='RandomFlip', prob=0.5),
        dict(type='PackDetInputs'),
    ]


def names(parts: list[dict]) -> list[str]:
    return [part['type'] for part in parts]


def test_fields_are_set_parts_inserted_replaced_and_left_out() -> None:
    parts = pipeline()
    changes = dict(
        RandomFlip=dict(prob=[0.1] * 2, direction=['horizontal', 'vertical']),
        Invert=dict(_before_='RandomFlip', prob=0.2),
        RandomTranspose=dict(_after_='RandomFlip'),
        Resize=dict(_delete_=True, scale_factor=2.0),
        PackDetInputs=None,
    )
    change_parts([parts], changes, 'train_pipeline')
    assert parts == [
        dict(type='LoadImageFromFile'),
        dict(type='LoadAnnotations', with_bbox=True),
        dict(type='Resize', scale_factor=2.0),
        dict(type='Invert', prob=0.2),
        dict(type='RandomFlip', prob=[0.1] * 2, direction=['horizontal', 'vertical']),
        dict(type='RandomTranspose'),
    ]


def test_another_class_in_the_place_of_one() -> None:
    parts = pipeline()
    change = dict(_delete_=True, type='RandomTranspose')
    change_parts([parts], dict(RandomFlip=change), 'train_pipeline')
    assert parts[3] == dict(type='RandomTranspose')


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        (
            dict(RandomCrop=dict(crop_size=(1, 1))),
            r'RandomCrop: train_pipeline has no RandomCrop; ',
        ),
        (dict(RandomTranspose=dict(_after_='Pad')), r'RandomTranspose: train_pipeline has no Pad'),
        (dict(RandomTurn=dict(_after_='RandomFlip')), r'RandomTurn: there is no RandomTurn'),
        (dict(RandomFlip=dict(porb=1)), r'RandomFlip\.porb: .* Did you mean prob\?'),
        (dict(RandomFlip=0.1), r'RandomFlip=0\.1: give a dict'),
        (dict(RandomFlip=dict(_before_='Resize', _after_='Resize')), 'not both'),
        (dict(RandomCrop=None), 'has no RandomCrop'),
        (dict(Resize=dict(scale=dict(a=1))), r'Resize: scale='),
    ],
    ids=['absent', 'anchor', 'class', 'field', 'no dict', 'both', 'nothing to leave out', 'merge'],
)
def test_mistakes_name_the_place(changes: dict, message: str) -> None:
    with pytest.raises(UserError, match=message):
        change_parts([pipeline()], changes, 'train_pipeline')


def test_a_name_that_is_there_twice_means_none() -> None:
    with pytest.raises(UserError, match='has 2 Resize'):
        change_parts([pipeline(), pipeline()], dict(Resize=dict(keep_ratio=False)), 'test_pipeline')


def test_hooks_and_schedulers() -> None:
    hooks = [dict(type='EMAHook', momentum=0.1), dict(type='NumClassCheckHook')]
    change_parts([hooks], dict(EMAHook=dict(momentum=0.2), NumClassCheckHook=None), 'custom_hooks')
    assert hooks == [dict(type='EMAHook', momentum=0.2)]
    rates = [dict(type='LinearLR', begin=0), dict(type='CosineAnnealingLR', begin=5)]
    change_parts([rates], dict(CosineAnnealingLR=dict(eta_min=0.1)), 'param_scheduler')
    assert rates[1] == dict(type='CosineAnnealingLR', begin=5, eta_min=0.1)


def experiment() -> Config:
    def loader() -> dict:
        return dict(dataset=dict(type='RepeatDataset', times=2, dataset=dict(pipeline=pipeline())))

    fields = dict(train_dataloader=loader(), val_dataloader=loader(), test_dataloader=None)
    return Config(fields)


def test_pipelines_are_found_inside_of_wrappers() -> None:
    config = experiment()
    change_pipelines(config, 'test_pipeline', dict(RandomFlip=None))
    assert 'RandomFlip' not in names(config.val_dataloader.dataset.dataset.pipeline)
    assert config.train_dataloader == experiment().train_dataloader


def test_mosaic_makes_the_wrapper_it_needs(tiny_ablation: Path) -> None:
    """What mixes images gets what was done before it, and MMDetection can build it."""
    config = experiment()
    changes = dict(Mosaic=dict(_after_='Resize', img_scale=(64, 48)), RandomFlip=dict(prob=0.1))
    change_pipelines(config, 'train_pipeline', changes)
    mixed = config.train_dataloader.dataset
    assert mixed.type == 'MultiImageMixDataset' and mixed.dataset.type == 'RepeatDataset'
    assert names(mixed.dataset.dataset.pipeline) == names(pipeline())[:3]
    assert names(mixed.pipeline) == ['Mosaic', 'RandomFlip', 'PackDetInputs']
    change_pipelines(config, 'train_pipeline', dict(Resize=dict(scale=(32, 24)), Mosaic=None))
    assert config.train_dataloader.dataset.dataset.dataset.pipeline[2].scale == (32, 24)
    assert names(config.train_dataloader.dataset.pipeline) == ['RandomFlip', 'PackDetInputs']

    leaf = dict(
        type='CocoDataset',
        data_root=str(tiny_ablation.parent / 'data'),
        ann_file='annotations/train.json',
        data_prefix=dict(img='train/'),
        pipeline=pipeline(),
    )
    config = Config(dict(train_dataloader=dict(dataset=leaf)))
    change_pipelines(config, 'train_pipeline', changes)
    sample = DATASETS.build(config.train_dataloader.dataset)[0]
    assert sample['inputs'].shape[1:] == (96, 128), 'two by two'


@pytest.mark.parametrize('name', ['CachedMosaic', 'SmallObjectCopyPaste'])
def test_what_can_do_without_a_wrapper_gets_none(name: str) -> None:
    """The first keeps images of its own, the second takes objects of the image itself."""
    config = experiment()
    change_pipelines(config, 'train_pipeline', {name: dict(_after_='Resize')})
    assert config.train_dataloader.dataset.type == 'RepeatDataset'
