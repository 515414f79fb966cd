import inspect
from copy import deepcopy
from pathlib import Path

import pytest
from mmengine.config import Config

from abc_mmdet.apis import load_experiment
from abc_mmdet.deployment.mmdet_export import RENAMED, _own_types, to_mmdet_config
from abc_mmdet.errors import UserError
from mmdet.registry import DATA_SAMPLERS, MODELS, TASK_UTILS, VISUALIZERS

CONFIGS = Path(__file__).parents[2] / 'configs'
NWD = dict(type='NWDBlendLoss', share=0.3, constant=12.0)


def load(name: str, **options) -> Config:
    return load_experiment(
        str(CONFIGS / name), {k.replace('__', '.'): v for k, v in options.items()}
    )


def types(value: object) -> set[str]:
    if isinstance(value, dict):
        own = {value['type']} if isinstance(value.get('type'), str) else set()
        return own.union(*(types(v) for v in value.values()))
    return set().union(*map(types, value)) if isinstance(value, (list, tuple)) else set()


def fields(kind: type) -> set[str]:
    """Arguments of a class and of those it inherits from, by name."""
    return {
        name
        for base in kind.__mro__
        if '__init__' in vars(base)
        for name, value in inspect.signature(base.__init__).parameters.items()
        if value.kind in (value.POSITIONAL_OR_KEYWORD, value.KEYWORD_ONLY) and name != 'self'
    }


# the metric's fields are read from its signature, and the optimizer's wrapper is a function
@pytest.mark.parametrize('name', sorted({*RENAMED} - {'SmallObjectMetric', 'AmpOnGpuOptimWrapper'}))
def test_a_counterpart_lacks_the_fields_that_are_left_out(name: str) -> None:
    counterpart, *own = RENAMED[name]
    registries = (DATA_SAMPLERS, MODELS, TASK_UTILS, VISUALIZERS)
    ours, theirs = (
        next(kind for registry in registries if (kind := registry.get(key)) is not None)
        for key in (name, counterpart)
    )
    assert fields(ours) - fields(theirs) <= set(own) <= fields(ours)


@pytest.mark.parametrize('path', sorted(CONFIGS.glob('frames/*.py')), ids=lambda p: p.stem)
def test_every_experiment_on_images_converts(path: Path, tmp_path: Path) -> None:
    config = load(path)
    before = deepcopy(config.to_dict())
    plain, changes = to_mmdet_config(config)
    assert config.to_dict() == before
    assert types(before) & _own_types()
    assert not types(plain.to_dict()) & _own_types()
    assert 'default_hooks.class_names: ClassNamesHook left out' in changes
    plain.dump(tmp_path / 'stock.py')
    text = (tmp_path / 'stock.py').read_text()
    assert 'abc_mmdet' not in text
    assert '_base_' not in text
    assert Config.fromfile(tmp_path / 'stock.py').to_dict() == plain.to_dict()


def test_train_only_level_leaves_the_baseline() -> None:
    plain, changes = to_mmdet_config(load('frames/abc_train_only_100k.py'))
    baseline = load('frames/baseline_3level_100k.py').model
    baseline.train_cfg.assigner.type = 'SimOTAAssigner'
    baseline.bbox_head.loss_bbox = dict(  # the default of YOLOXHead
        type='IoULoss', mode='square', eps=1e-16, reduction='sum', loss_weight=5.0
    )
    assert plain.model == baseline
    assert 'model.backbone: 1 finest output(s) left out' in changes
    assert plain.optim_wrapper.type == 'OptimWrapper'
    assert plain.test_evaluator.type == 'CocoMetric'
    assert 'small_classes' not in plain.test_evaluator


def test_backbone_of_mmpretrain_keeps_its_import() -> None:
    plain, _ = to_mmdet_config(load('frames/abc_convnext_tiny_100k.py'))
    assert plain.custom_imports.imports == ['mmpretrain.models']
    assert plain.model.backbone.type == 'mmpretrain.ConvNeXt'


def test_outputs_that_the_config_does_not_name() -> None:
    config = load('frames/abc_train_only_100k.py')
    del config.model.backbone['out_indices']  # CSPDarknet's own are 2, 3, 4
    config.model.neck.in_channels = [128, 256, 512]
    plain, _ = to_mmdet_config(config)
    assert plain.model.backbone.out_indices == (3, 4)
    assert plain.model.neck.in_channels == [256, 512]
    config.model.backbone.out_indices = -1
    with pytest.raises(UserError, match=r'model\.backbone\.out_indices=-1'):
        to_mmdet_config(config)


@pytest.mark.parametrize(
    ('loss', 'expected'),
    [
        (NWD, dict(type='IoULoss')),
        (
            dict(NWD, mode='square', box_loss=dict(type='DIoULoss')),
            dict(type='DIoULoss', mode='square'),
        ),
        (
            dict(type='SizeAwareIoULoss', max_weight=2.0, iou_loss=NWD, reduction='sum'),
            dict(type='IoULoss', reduction='sum'),
        ),
    ],
)
def test_losses_around_others(loss: dict, expected: dict) -> None:
    config = load('small/abc_synthetic.py')
    config.model.bbox_head.main_head.loss_bbox = loss
    assert to_mmdet_config(config)[0].model.bbox_head.loss_bbox == expected


def test_a_head_for_ignored_regions_becomes_the_plain_one() -> None:
    config = load('small/abc_synthetic.py')
    config.model.bbox_head.main_head.update(type='IgnoreRegionYOLOXHead', ignore_iof_thr=0.4)
    head = to_mmdet_config(config)[0].model.bbox_head
    assert head.type == 'YOLOXHead' and 'ignore_iof_thr' not in head
    assert head == to_mmdet_config(load('small/abc_synthetic.py'))[0].model.bbox_head


def test_settings_of_the_main_head_win_over_those_of_the_detector() -> None:
    config = load('small/abc_synthetic.py')
    config.model.bbox_head.main_head.test_cfg = dict(score_thr=0.3)
    config.model.train_cfg.assigner.iou_calculator = dict(type='NWDOverlaps2D', constant=9.0)
    model = to_mmdet_config(config)[0].model
    assert model.test_cfg == dict(score_thr=0.3)
    assert 'test_cfg' not in model.bbox_head
    assert model.train_cfg.assigner.iou_calculator == dict(type='BboxOverlaps2D')
    assert model.bbox_head.num_classes == 8


def test_what_changes_the_data_is_left_out() -> None:
    config = load('small/abc_synthetic.py')
    paste = dict(type='SmallObjectCopyPaste')
    inner = config.train_dataloader.dataset
    config.train_dataloader.dataset = dict(
        type='MultiImageMixDataset', dataset=inner, pipeline=[paste, dict(type='RandomFlip')]
    )
    config.train_dataloader.sampler = dict(type='SmallObjectSampler', power=1.0, seed=3)
    loader = to_mmdet_config(config)[0].train_dataloader
    assert loader.dataset.pipeline == [dict(type='RandomFlip')]
    cut = dict(type='SmallObjectSlice', size=(64, 48), small_classes='all', min_visible=0.5)
    config.train_dataloader.dataset.pipeline = [cut]
    (crop,) = to_mmdet_config(config)[0].train_dataloader.dataset.pipeline
    assert crop == dict(type='RandomCrop', crop_size=(64, 48), allow_negative_crop=True)
    assert loader.sampler == dict(type='InfiniteSampler', seed=3)


def test_gate_stays_only_where_training_alone_needs_it() -> None:
    plain, _ = to_mmdet_config(load('frames/abc_train_only_100k.py', model__neck__gate_finest=True))
    assert 'gate_finest' not in plain.model.neck
    with pytest.raises(UserError, match=r'model\.neck\.gate_finest: the gate runs at inference'):
        to_mmdet_config(load('frames/abc_100k.py', model__neck__gate_finest=True))


def test_what_has_no_counterpart_is_named() -> None:
    with pytest.raises(UserError) as error:
        to_mmdet_config(load('abc_sod_basic_100k.py'))
    for line in (
        '  model: StreamingDetector',
        '  model.backbone: MaxViTRNN',
        '  test_dataloader.dataset: EventSequenceDataset',
        '  test_dataloader.dataset.pipeline[0]: LoadEventClip',
    ):
        assert line in str(error.value).splitlines()
    with pytest.raises(UserError, match=r'val_evaluator\.protocol: prophesee'):
        to_mmdet_config(load('small/abc_synthetic.py', val_evaluator__protocol='prophesee'))
