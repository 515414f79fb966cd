"""Tensors, levels and classes are found under the names that others have for them."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from abc_mmdet.checkpoints.names import SYNONYMS, match_classes, meanings, strides_of, tensors_of
from abc_mmdet.errors import UserError
from mmdet.datasets import CocoDataset

# Names of Megvii's YOLOX beside those of the same tensors in MMDetection; that all of them are
# right was checked with Megvii's code, nano to x: raw outputs equal to 1.5e-7.
MEGVII = {
    'backbone.backbone.stem.conv.conv.weight': 'backbone.stem.conv.conv.weight',
    'backbone.backbone.dark2.0.bn.weight': 'backbone.stage1.0.bn.weight',
    'backbone.backbone.dark2.0.dconv.conv.weight': 'backbone.stage1.0.depthwise_conv.conv.weight',
    'backbone.backbone.dark3.1.conv1.bn.bias': 'backbone.stage2.1.main_conv.bn.bias',
    'backbone.backbone.dark4.1.conv2.conv.weight': 'backbone.stage3.1.short_conv.conv.weight',
    'backbone.backbone.dark4.1.m.2.conv1.conv.weight': (
        'backbone.stage3.1.blocks.2.conv1.conv.weight'
    ),
    'backbone.backbone.dark5.1.conv2.conv.weight': 'backbone.stage4.1.conv2.conv.weight',
    'backbone.backbone.dark5.2.conv3.conv.weight': 'backbone.stage4.2.final_conv.conv.weight',
    'backbone.backbone.dark5.2.m.0.conv2.pconv.bn.weight': (
        'backbone.stage4.2.blocks.0.conv2.pointwise_conv.bn.weight'
    ),
    'backbone.lateral_conv0.conv.weight': 'neck.reduce_layers.0.conv.weight',
    'backbone.reduce_conv1.bn.running_var': 'neck.reduce_layers.1.bn.running_var',
    'backbone.C3_p4.conv1.conv.weight': 'neck.top_down_blocks.0.main_conv.conv.weight',
    'backbone.C3_p3.m.0.conv2.conv.weight': 'neck.top_down_blocks.1.blocks.0.conv2.conv.weight',
    'backbone.bu_conv2.conv.weight': 'neck.downsamples.0.conv.weight',
    'backbone.bu_conv1.conv.weight': 'neck.downsamples.1.conv.weight',
    'backbone.C3_n3.conv3.bn.weight': 'neck.bottom_up_blocks.0.final_conv.bn.weight',
    'backbone.C3_n4.conv2.conv.weight': 'neck.bottom_up_blocks.1.short_conv.conv.weight',
    'head.stems.2.conv.weight': 'neck.out_convs.2.conv.weight',
    'head.cls_convs.0.1.conv.weight': 'bbox_head.multi_level_cls_convs.0.1.conv.weight',
    'head.reg_convs.1.0.pconv.conv.weight': (
        'bbox_head.multi_level_reg_convs.1.0.pointwise_conv.conv.weight'
    ),
    'head.cls_preds.0.weight': 'bbox_head.multi_level_conv_cls.0.weight',
    'head.reg_preds.1.bias': 'bbox_head.multi_level_conv_reg.1.bias',
    'head.obj_preds.2.bias': 'bbox_head.multi_level_conv_obj.2.bias',
}


@pytest.mark.parametrize(
    'wrapped',
    [
        lambda state: state,
        lambda state: dict(model=state),
        lambda state: dict(start_epoch=3, model=state, optimizer=dict(state={})),
        lambda state: dict(ema=state, model={k: v + 1 for k, v in state.items()}),
        lambda state: dict(ema=dict(module=state)),
        lambda state: dict(model={f'module.{k}': v for k, v in state.items()}),
    ],
)
def test_names_of_megvii_in_any_wrapper(wrapped) -> None:
    state = {name: torch.full((1,), float(i)) for i, name in enumerate(MEGVII)}
    found = tensors_of(wrapped(state))
    assert found == {MEGVII[name]: value for name, value in state.items()}


def test_checkpoints_of_mmdetection() -> None:
    state = {name: torch.zeros(1) for name in MEGVII.values()}
    averaged = {'ema_backbone_stem_conv_conv_weight': torch.ones(1)}
    assert tensors_of(dict(meta={}, state_dict={**state, **averaged})) == state


@pytest.mark.parametrize('checkpoint', [{}, dict(meta=3), dict(model=3), dict(state_dict={})])
def test_nothing_in_it(checkpoint: dict) -> None:
    assert tensors_of(checkpoint) == {}


def names(levels: int, stages: int, head: str = 'bbox_head') -> list[str]:
    return [
        *(f'backbone.stage{i}.0.conv.weight' for i in range(1, stages + 1)),
        *(f'{head}.multi_level_conv_cls.{i}.weight' for i in range(levels)),
    ]


def test_strides_from_the_names() -> None:
    assert strides_of(names(3, 4)) == [8, 16, 32]
    assert strides_of(names(4, 4)) == [4, 8, 16, 32]
    assert strides_of(names(3, 3)) == [4, 8, 16]
    assert strides_of(names(3, 4, 'bbox_head.main_head')) == [8, 16, 32]
    with_aux = [*names(3, 4, 'bbox_head.main_head'), *names(4, 4, 'bbox_head.aux_head')]
    assert strides_of(with_aux) == [8, 16, 32]
    assert strides_of(['backbone.layer1.weight']) == []


def neck(levels: int) -> list[str]:
    blocks = 'reduce_layers', 'top_down_blocks', 'downsamples', 'bottom_up_blocks'
    return [f'neck.{block}.{i}.conv.weight' for block in blocks for i in range(levels - 1)]


def test_levels_by_stride() -> None:
    three, four = (8, 16, 32), (4, 8, 16, 32)
    for name, same in {
        'neck.reduce_layers.0.conv.weight': 'neck.reduce_layers.0.conv.weight',
        'neck.top_down_blocks.1.final_conv.bn.bias': 'neck.top_down_blocks.1.final_conv.bn.bias',
        'neck.downsamples.0.conv.weight': 'neck.downsamples.1.conv.weight',
        'neck.bottom_up_blocks.1.main_conv.bn.bias': 'neck.bottom_up_blocks.2.main_conv.bn.bias',
        'neck.out_convs.0.conv.weight': 'neck.out_convs.1.conv.weight',
        'bbox_head.multi_level_cls_convs.2.0.conv.weight': (
            'bbox_head.main_head.multi_level_cls_convs.3.0.conv.weight'
        ),
        'bbox_head.multi_level_conv_obj.0.bias': 'bbox_head.multi_level_conv_obj.1.bias',
        'backbone.stem.conv.weight': 'backbone.stem.conv.weight',
    }.items():
        assert meanings([name, *neck(3)], three)[name] == meanings([same, *neck(4)], four)[same]


def test_a_level_means_the_same_in_the_auxiliary_head() -> None:
    aux = 'bbox_head.aux_head.multi_level_conv_reg.1.bias'
    main = 'bbox_head.multi_level_conv_reg.0.bias'
    assert meanings([aux], (8, 16, 32), (4, 8))[aux] == meanings([main], (8, 16, 32))[main]
    own = 'bbox_head.aux_head.enhance_convs.0.0.conv.weight'
    assert meanings([own], (8, 16, 32), (4, 8))[own] == own


COCO = CocoDataset.METAINFO['classes']


@pytest.mark.parametrize(
    ('name', 'expected'),
    [
        ('person', 'person'),
        ('Person', 'person'),
        ('persons', 'person'),
        ('Pedestrian', 'person'),
        ('people', 'person'),
        ('Vehicle', 'car'),
        ('vehicles', 'car'),
        ('van', 'car'),
        ('Bicycles', 'bicycle'),
        ('bike', 'bicycle'),
        ('motorbike', 'motorcycle'),
        ('Motor', 'motorcycle'),
        ('lorries', 'truck'),
        ('bus', 'bus'),
        ('buses', 'bus'),
        ('tram', 'train'),
        ('traffic_light', 'traffic light'),
        ('Traffic-Lights', 'traffic light'),
        ('knives', None),  # no rule for it: rather none than a wrong one
        ('glasses', None),
        ('mousebite', None),
        ('drone', None),
        ('', None),
    ],
)
def test_names_of_coco(name: str, expected: str | None) -> None:
    assert match_classes([name], COCO) == {name: expected}


@given(st.permutations(COCO))
def test_order_of_the_lists_does_not_matter(names: list[str]) -> None:
    assert match_classes(names, COCO) == {name: name for name in names}
    assert match_classes(COCO, names) == {name: name for name in COCO}


def test_the_same_name_goes_before_a_synonym() -> None:
    assert match_classes(['van', 'car'], ['car', 'van']) == {'van': 'van', 'car': 'car'}
    assert match_classes(['pedestrian'], ['people', 'Pedestrian']) == {'pedestrian': 'Pedestrian'}


def test_synonyms_hold_in_both_directions() -> None:
    assert match_classes(['person'], ['car', 'pedestrian']) == {'person': 'pedestrian'}


def test_no_name_has_two_meanings() -> None:
    names = [name for group in SYNONYMS for name in group]
    assert len(set(names)) == len(names)
    assert {group[0] for group in SYNONYMS} <= set(COCO)


def test_class_map_goes_first() -> None:
    matched = match_classes(['drone', 'person'], COCO, dict(drone='kite', person=None))
    assert matched == {'drone': 'kite', 'person': None}


def test_wrong_names_of_class_map_are_refused() -> None:
    with pytest.raises(UserError, match=r"class_map names 'Drone'.*\['drone'\]"):
        match_classes(['drone'], COCO, dict(Drone='kite'))
    with pytest.raises(UserError, match="'drone' the class 'kites'"):
        match_classes(['drone'], COCO, dict(drone='kites'))
