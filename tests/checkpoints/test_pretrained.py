import math
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from torch import nn

from abc_mmdet.checkpoints.pretrained import HeadLayout, Transfer, check_fits, transfer
from abc_mmdet.engine.hooks.loaded_weights_hooks import head_layouts
from abc_mmdet.errors import UserError
from mmdet.datasets import CocoDataset
from mmdet.registry import MODELS

ROOT = Path(__file__).parents[2]
COCO = CocoDataset.METAINFO['classes']
CLASSES = ('Person', 'Vehicle', 'drone')
NANO = Path('configs/_base_/models/yolox_nano_3level.py')


def nano(num_classes: int = 80, **changes: dict) -> nn.Module:
    config = Config.fromfile(ROOT / NANO)
    config.merge_from_dict(dict(model=dict(bbox_head=dict(num_classes=num_classes))))
    config.merge_from_dict(dict(model=changes))
    return randomized(MODELS.build(config.model))


def randomized(model: nn.Module) -> nn.Module:
    with torch.no_grad():
        for value in model.state_dict().values():
            if value.dtype.is_floating_point:
                value.uniform_(0.1, 1)
    return model.eval()


def abc(aux: dict, **changes: dict) -> nn.Module:
    """YOLOX-Nano with an ABCHead around its head."""
    head = dict(Config.fromfile(ROOT / NANO).model.bbox_head)
    options = dict(in_channels=64, norm_cfg=head['norm_cfg'], act_cfg=head['act_cfg'], **aux)
    config = Config.fromfile(ROOT / NANO)
    config.model.bbox_head = dict(
        type='ABCHead',
        classes=CLASSES,
        small_classes=('drone', 'Person'),
        main_head=head,
        aux_head=dict(type='AuxSmallObjectHead', **options),
        arbiter=None,
    )
    config.merge_from_dict(dict(model=changes))
    return randomized(MODELS.build(config.model))


def fitted(source: nn.Module, model: nn.Module, classes=CLASSES, **options) -> Transfer:
    main, aux = head_layouts(model, classes)
    options.setdefault('pretrained_classes', COCO)
    result = transfer(source.state_dict(), model, main, aux, **options)
    model.load_state_dict(result.state)
    return result


def outputs(model: nn.Module) -> list[torch.Tensor]:
    torch.manual_seed(0)
    return [level for kind in model(torch.rand(1, 3, 64, 96)) for level in kind]


def test_the_same_detector_is_taken_over_whole() -> None:
    source, model = nano(), nano()
    result = fitted(source, model, COCO)
    assert not result.new and not result.unused
    assert result.share() == result.share('backbone') == 1
    assert all(torch.equal(a, b) for a, b in zip(outputs(source), outputs(model), strict=True))


def test_class_rows_by_name() -> None:
    source, model = nano(), nano(3)
    result = fitted(source, model)
    assert result.classes == {'Person': 'person', 'Vehicle': 'car', 'drone': None}
    assert not result.new
    for old, new in zip(
        source.bbox_head.multi_level_conv_cls, model.bbox_head.multi_level_conv_cls, strict=True
    ):
        person, car = COCO.index('person'), COCO.index('car')
        assert torch.equal(new.weight[:2], old.weight[[person, car]])
        assert torch.equal(new.bias[:2], old.bias[[person, car]])
        assert torch.allclose(new.weight[2], old.weight.mean(0))
        assert new.bias[2].item() == pytest.approx(-math.log(99))  # a score of 1 %
    # Boxes and objectness do not know classes
    assert all(
        torch.equal(a, b) for a, b in zip(outputs(source)[3:], outputs(model)[3:], strict=True)
    )


def test_class_map() -> None:
    result = fitted(nano(), nano(3), class_map=dict(drone='bird', Person=None))
    assert result.classes == {'Person': None, 'Vehicle': 'car', 'drone': 'bird'}


def test_rows_without_names_all_start_from_the_mean() -> None:
    source, model = nano(20), nano(3)
    result = fitted(source, model, pretrained_classes=None)
    assert set(result.classes.values()) == {None}
    new = model.bbox_head.multi_level_conv_cls[0].weight
    assert torch.allclose(new[0], source.bbox_head.multi_level_conv_cls[0].weight.mean(0))
    assert torch.equal(new[0], new[1])


def test_as_many_rows_without_names_stay_as_they_are() -> None:
    source, model = nano(3), nano(3)
    result = fitted(source, model, pretrained_classes=None)
    assert not result.new and not result.classes
    assert 'rows as they are in the file' in result.table()
    assert all(torch.equal(a, b) for a, b in zip(outputs(source), outputs(model), strict=True))


def test_a_head_of_four_levels_takes_each_level_by_its_stride() -> None:
    """An index would put the head of stride 8 on stride 4, and so on."""
    source = nano()
    model = nano(
        3,
        backbone=dict(out_indices=(1, 2, 3, 4)),
        neck=dict(in_channels=[32, 64, 128, 256]),
        bbox_head=dict(strides=(4, 8, 16, 32)),
    )
    result = fitted(source, model)
    assert result.strides == ([8, 16, 32], [4, 8, 16, 32])
    for old, new in zip(range(3), range(1, 4), strict=True):
        for part in ('cls_convs', 'reg_convs', 'conv_reg', 'conv_obj'):
            one, other = (
                getattr(head, f'multi_level_{part}')[i].state_dict()
                for head, i in ((source.bbox_head, old), (model.bbox_head, new))
            )
            assert all(torch.equal(one[name], other[name]) for name in one)
    new_parts = {name.split('.')[1] for name in result.new}
    assert new_parts == {
        *('reduce_layers', 'top_down_blocks', 'downsamples', 'bottom_up_blocks', 'out_convs'),
        *(f'multi_level_{part}' for part in ('cls_convs', 'reg_convs')),
        *(f'multi_level_conv_{part}' for part in ('cls', 'reg', 'obj')),
    }
    assert all('.0.' in name for name in result.new if name.startswith('bbox_head'))
    assert 'strides 8, 16, 32 -> 4, 8, 16, 32' in result.table()


def test_finer_levels_keep_the_heads_of_strides_8_and_16() -> None:
    stages = [[64, 128, 3, True, False], [128, 256, 9, True, False], [256, 512, 9, True, False]]
    source = nano()
    model = nano(
        3,
        backbone=dict(arch_ovewrite=stages, out_indices=(1, 2, 3)),
        neck=dict(in_channels=[32, 64, 128]),
        bbox_head=dict(strides=(4, 8, 16)),
    )
    result = fitted(source, model)
    assert result.share('backbone') == 1
    for old, new in ((0, 1), (1, 2)):
        assert torch.equal(
            source.bbox_head.multi_level_conv_reg[old].weight,
            model.bbox_head.multi_level_conv_reg[new].weight,
        )
    assert any(name.startswith('backbone.stage4') for name in result.unused)


def test_a_train_only_level_leaves_the_pretrained_detector_as_it_is() -> None:
    source = nano(3)
    model = abc(
        dict(strides=(4, 8), feat_channels=16),
        backbone=dict(out_indices=(1, 2, 3, 4)),
        neck=dict(type='ABCPAFPN', in_channels=[32, 64, 128, 256], num_aux_levels=1),
    )
    result = fitted(source, model, pretrained_classes=CLASSES)
    assert all('aux_' in name for name in result.new)
    assert all(torch.equal(a, b) for a, b in zip(outputs(source), outputs(model), strict=True))


def test_an_auxiliary_head_that_is_built_alike_starts_as_the_main_head() -> None:
    alike = dict(num_enhance_convs=0, feat_channels=64, stacked_convs=2, use_depthwise=True)
    source, model = nano(), abc(dict(strides=(8,), **alike))
    result = fitted(source, model)
    assert not result.new
    main, aux = model.bbox_head.main_head, model.bbox_head.aux_head
    for part in ('multi_level_cls_convs', 'multi_level_conv_reg', 'multi_level_conv_obj'):
        one, other = (getattr(head, part)[0].state_dict() for head in (main, aux))
        assert all(torch.equal(one[name], other[name]) for name in one)
    # Its classes are 'drone', 'Person', in this order
    rows = main.multi_level_conv_cls[0].weight
    assert torch.equal(aux.multi_level_conv_cls[0].weight, rows[[2, 0]])


def test_an_auxiliary_head_of_other_widths_is_new_as_a_whole() -> None:
    source, model = nano(), abc(dict(strides=(8,), feat_channels=32))
    before = {n: v.clone() for n, v in model.state_dict().items() if 'aux_head' in n}
    result = fitted(source, model)
    assert set(before) == set(result.new)
    assert all(torch.equal(model.state_dict()[name], value) for name, value in before.items())


def test_an_abc_checkpoint_into_a_plain_detector() -> None:
    source, model = abc(dict(strides=(8,), feat_channels=32)), nano(3)
    result = fitted(source, model, pretrained_classes=CLASSES)
    assert not result.new
    assert all(torch.equal(a, b) for a, b in zip(outputs(source), outputs(model), strict=True))


def test_detectors_without_such_levels_are_matched_by_name() -> None:
    source, model = (nn.Sequential(nn.Linear(2, 3), nn.Linear(3, size)) for size in (4, 5))
    result = transfer(source.state_dict(), model, HeadLayout(()))
    assert result.taken == ['0.weight', '0.bias'] and result.new == ['1.weight', '1.bias']


def test_the_table() -> None:
    lines = fitted(nano(), abc(dict(strides=(8,), feat_channels=32))).table().splitlines()
    assert lines[0].split() == ['tensors', 'weights', 'new']
    assert lines[1].split() == ['backbone', '282', 'of', '282', '100', '%']
    assert lines[3].split()[:4] == ['bbox_head', '162', 'of', '186']
    assert 'aux_head.enhance_convs.0, ' in lines[3]
    assert lines[4] == 'classes by name: Person <- person, Vehicle <- car'
    assert lines[5].endswith(': drone')


@pytest.mark.parametrize('widen_factor', [0.375, 0.5])
def test_a_file_of_another_network_is_refused(widen_factor: float) -> None:
    source = MODELS.build(
        dict(type='CSPDarknet', deepen_factor=0.33, widen_factor=widen_factor, use_depthwise=False)
    )
    state = {f'backbone.{name}': value for name, value in source.state_dict().items()}
    result = transfer(state, nano(), HeadLayout((8, 16, 32)))
    with pytest.raises(UserError) as caught:
        check_fits(result, 'load_from: x.pth')
    message = str(caught.value)
    assert message.startswith('load_from: x.pth does not fit this network: ')
    assert 'backbone' in message and 'type, depth and width' in message
