import pytest
import torch

from abc_mmdet.errors import UserError
from abc_mmdet.models.dense_heads.grown_yolox_head import GrownYOLOXHead, PlaceBiasConv2d


@pytest.mark.parametrize('size', [(4, 6), (5, 7), (1, 1)])
def test_a_bias_for_each_place(size: tuple[int, int]) -> None:
    torch.manual_seed(0)
    conv = PlaceBiasConv2d(3, 4, 1)
    x = torch.randn(2, 3, *size)
    plain = torch.nn.functional.conv2d(x, conv.weight, conv.bias)
    assert torch.equal(conv(x), plain)
    torch.nn.init.normal_(conv.place_bias)
    result = conv(x)
    for row in range(size[0]):
        for column in range(size[1]):
            expected = plain[..., row, column] + conv.place_bias[:, row % 2, column % 2]
            assert torch.equal(result[..., row, column], expected)


def test_the_other_levels_are_yolox_s() -> None:
    head = GrownYOLOXHead(3, 8, feat_channels=8, strides=(4, 8, 16))
    convs = [
        {m.dilation for m in tower.modules() if isinstance(m, torch.nn.Conv2d)}
        for tower in head.multi_level_cls_convs
    ]
    assert convs == [{(2, 2)}, {(1, 1)}, {(1, 1)}]
    assert [type(m).__name__ for m in head.multi_level_conv_reg] == [
        'PlaceBiasConv2d',
        'Conv2d',
        'Conv2d',
    ]
    maps = head([torch.randn(1, 8, 16 // 2**i, 16 // 2**i) for i in range(3)])
    assert [level.shape[-1] for level in maps[1]] == [16, 8, 4]


@pytest.mark.parametrize('strides', [(8,), (4, 16), (8, 4)])
def test_strides_that_cannot_grow(strides: tuple[int, ...]) -> None:
    with pytest.raises(UserError, match='the second has to be twice the first'):
        GrownYOLOXHead(3, 8, feat_channels=8, strides=strides)


def test_deformable_convolutions() -> None:
    with pytest.raises(UserError, match='dcn_on_last_conv'):
        GrownYOLOXHead(3, 8, feat_channels=8, strides=(4, 8), dcn_on_last_conv=True)
