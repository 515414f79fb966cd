import copy
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from abc_mmdet.checkpoints.loading import weights_only
from abc_mmdet.errors import UserError
from abc_mmdet.models.backbones import MaxViTRNN
from abc_mmdet.models.rvt_checkpoint import convert_rvt, plain_name, read_rvt_state
from mmdet.registry import MODELS

WIDTHS = (8, 16, 32, 64)
HIDDEN = 16
BACKBONE = dict(arch=dict(embed_dim=8, dim_head=4), in_channels=4)
NORM = dict(type='BN', momentum=0.1, eps=1e-5)
CLASSES = ('pedestrian', 'two wheeler', 'car')


class Conv(nn.Module):
    """Convolution, batch norm, SiLU under the names of YOLOX's own code."""

    def __init__(self, dim_in: int, dim: int, kernel: int = 1, stride: int = 1) -> None:
        super().__init__()
        self.conv = nn.Conv2d(dim_in, dim, kernel, stride, kernel // 2, bias=False)
        self.bn = nn.BatchNorm2d(dim)

    def forward(self, x: Tensor) -> Tensor:
        return F.silu(self.bn(self.conv(x)))


class Bottleneck(nn.Sequential):
    def __init__(self, dim: int) -> None:
        super().__init__()
        self.conv1, self.conv2 = Conv(dim, dim), Conv(dim, dim, 3)


class CSP(nn.Module):
    def __init__(self, dim_in: int, dim: int, blocks: int) -> None:
        super().__init__()
        self.conv1, self.conv2 = Conv(dim_in, dim // 2), Conv(dim_in, dim // 2)
        self.conv3 = Conv(dim, dim)
        self.m = nn.Sequential(*(Bottleneck(dim // 2) for _ in range(blocks)))

    def forward(self, x: Tensor) -> Tensor:
        return self.conv3(torch.cat([self.m(self.conv1(x)), self.conv2(x)], 1))


class FPN(nn.Module):
    """RVT's neck: three levels that keep their widths."""

    def __init__(self, blocks: int) -> None:
        super().__init__()
        c3, c4, c5 = WIDTHS[1:]
        self.lateral_conv0, self.C3_p4 = Conv(c5, c4), CSP(2 * c4, c4, blocks)
        self.reduce_conv1, self.C3_p3 = Conv(c4, c3), CSP(2 * c3, c3, blocks)
        self.bu_conv2, self.C3_n3 = Conv(c3, c3, 3, 2), CSP(2 * c3, c4, blocks)
        self.bu_conv1, self.C3_n4 = Conv(c4, c4, 3, 2), CSP(2 * c4, c5, blocks)

    def forward(self, c3: Tensor, c4: Tensor, c5: Tensor) -> tuple[Tensor, ...]:
        lateral = self.lateral_conv0(c5)
        p4 = self.C3_p4(torch.cat([lateral.repeat_interleave(2, 2).repeat_interleave(2, 3), c4], 1))
        reduced = self.reduce_conv1(p4)
        p3 = self.C3_p3(torch.cat([reduced.repeat_interleave(2, 2).repeat_interleave(2, 3), c3], 1))
        n4 = self.C3_n3(torch.cat([self.bu_conv2(p3), reduced], 1))
        n5 = self.C3_n4(torch.cat([self.bu_conv1(n4), lateral], 1))
        return p3, n4, n5


class Head(nn.Module):
    """RVT's head with its raw outputs."""

    def __init__(self, num_classes: int) -> None:
        super().__init__()
        self.stems = nn.ModuleList(Conv(width, HIDDEN) for width in WIDTHS[1:])
        for name in ('cls_convs', 'reg_convs'):
            convs = (
                nn.Sequential(Conv(HIDDEN, HIDDEN, 3), Conv(HIDDEN, HIDDEN, 3)) for _ in WIDTHS[1:]
            )
            setattr(self, name, nn.ModuleList(convs))
        for name, outputs in (('cls_preds', num_classes), ('reg_preds', 4), ('obj_preds', 1)):
            setattr(self, name, nn.ModuleList(nn.Conv2d(HIDDEN, outputs, 1) for _ in WIDTHS[1:]))

    def forward(self, levels: Sequence[Tensor]) -> tuple[list[Tensor], ...]:
        stems = [stem(x) for stem, x in zip(self.stems, levels, strict=True)]
        cls_feats = [convs(x) for convs, x in zip(self.cls_convs, stems, strict=True)]
        reg_feats = [convs(x) for convs, x in zip(self.reg_convs, stems, strict=True)]
        return (
            [pred(x) for pred, x in zip(self.cls_preds, cls_feats, strict=True)],
            [pred(x) for pred, x in zip(self.reg_preds, reg_feats, strict=True)],
            [pred(x) for pred, x in zip(self.obj_preds, reg_feats, strict=True)],
        )


class RVT(nn.Module):
    """A detector with the parameter names of RVT and no value left at its default."""

    def __init__(self, blocks: int = 1, num_classes: int = 3) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.backbone = MaxViTRNN(**BACKBONE)
        self.fpn, self.yolox_head = FPN(blocks), Head(num_classes)
        for name, value in self.state_dict().items():
            if value.ndim == 1:
                value.uniform_(0.5, 1.5)
            if '.bn.' in name and value.ndim == 1 and not name.endswith('running_var'):
                value.sub_(0.3)
        self.eval()

    def forward(self, x: Tensor) -> tuple[list[Tensor], ...]:
        return self.yolox_head(self.fpn(*self.backbone(x)[0][1:]))

    def state(self) -> dict[str, Tensor]:
        return {f'mdl.{name}': value for name, value in self.state_dict().items()}


def plain_config(num_classes: int = 3, blocks: int = 1) -> dict:
    return dict(
        type='SingleStageDetector',
        backbone=dict(type='MaxViTRNN', out_indices=(1, 2, 3), **BACKBONE),
        neck=dict(
            type='YOLOXPAFPN',
            in_channels=WIDTHS[1:],
            out_channels=HIDDEN,
            num_csp_blocks=blocks,
            norm_cfg=NORM,
        ),
        bbox_head=dict(
            type='YOLOXHead',
            num_classes=num_classes,
            in_channels=HIDDEN,
            feat_channels=HIDDEN,
            norm_cfg=NORM,
        ),
    )


def abc_config(classes: Sequence[str] = CLASSES) -> dict:
    config = plain_config(len(classes))
    config['backbone']['out_indices'] = (0, 1, 2, 3)
    config['neck'].update(type='ABCPAFPN', in_channels=WIDTHS, num_aux_levels=1)
    config['bbox_head'] = dict(
        type='ABCHead',
        classes=classes,
        small_classes=['pedestrian'],
        main_head=config['bbox_head'],
        aux_head=dict(type='AuxSmallObjectHead', in_channels=HIDDEN, strides=(4, 8)),
    )
    return config


def outputs(model: nn.Module, x: Tensor) -> tuple[list[Tensor], ...]:
    model.eval()
    return model.bbox_head(model.neck(model.backbone(x)[0]))


def assert_same(ours: Sequence[Sequence[Tensor]], theirs: Sequence[Sequence[Tensor]]) -> None:
    for kind, expected_kind in zip(ours, theirs, strict=True):
        for level, expected in zip(kind, expected_kind, strict=True):
            assert level.shape == expected.shape
            assert float((level - expected).norm() / expected.norm()) < 1e-5


@torch.no_grad()
@pytest.mark.parametrize('blocks', [1, 2])
def test_plain_detector_gives_the_outputs_of_rvt(blocks: int) -> None:
    rvt, model = RVT(blocks), MODELS.build(plain_config(blocks=blocks))
    converted, unused = convert_rvt(rvt.state(), model)
    assert unused == {}
    model.load_state_dict(converted, strict=True)
    x = torch.randint(0, 5, (2, 4, 100, 120), dtype=torch.uint8)
    assert_same(outputs(model, x), rvt(x))


@torch.no_grad()
def test_abc_detector_gives_the_outputs_of_rvt() -> None:
    rvt, model = RVT(), MODELS.build(abc_config())
    converted, unused = convert_rvt(rvt.state(), model)
    assert unused == {}
    missing, unexpected = model.load_state_dict(converted, strict=False)
    assert unexpected == []
    assert missing and all('.aux_head.' in name or '.aux_branches.' in name for name in missing)
    x = torch.rand(1, 4, 64, 64)
    assert_same(outputs(model, x), rvt(x))


@torch.no_grad()
def test_classes_are_put_into_the_order_of_the_config() -> None:
    rvt = RVT()
    x = torch.rand(1, 4, 64, 64)
    scores, boxes, objectness = rvt(x)
    for order in ((2, 0, 1), (1, 0)):
        classes = [CLASSES[i] for i in order]
        model = MODELS.build(plain_config(len(order)))
        converted, unused = convert_rvt(rvt.state(), model, classes, CLASSES)
        left_out = [f"the config has no class '{name}'" for name in CLASSES if name not in classes]
        assert list(unused.values()) == left_out
        model.load_state_dict(converted, strict=True)
        assert_same(outputs(model, x), ([s[:, order] for s in scores], boxes, objectness))


@pytest.mark.parametrize(
    ('classes', 'rvt_classes', 'words'),
    [
        (('car', 'tram'), CLASSES, "does not know the class 'tram'"),
        (CLASSES, ('car', 'pedestrian'), 'tells 3 classes apart, but 2 are named'),
        (CLASSES, ('car', 'car', 'bus'), 'each of its classes once'),
        (None, CLASSES, 'names no classes'),
    ],
)
def test_class_names_that_do_not_fit(
    classes: Sequence[str] | None, rvt_classes: Sequence[str], words: str
) -> None:
    with pytest.raises(UserError, match=words):
        convert_rvt(RVT().state(), MODELS.build(plain_config()), classes, rvt_classes)


def other(part: str, **fields: object) -> dict:
    config = copy.deepcopy(plain_config())
    config[part].update(fields)
    return config


def four_levels() -> dict:
    config = other('neck', in_channels=WIDTHS)
    config['bbox_head']['strides'] = (4, 8, 16, 32)
    return config


@pytest.mark.parametrize(
    ('config', 'words'),
    [
        (other('backbone', arch='tiny'), ['stages.0.downsample', 'arch=dict(embed_dim=8']),
        (other('backbone', in_channels=20), ['(8, 20, 7, 7)', 'in_channels=4']),
        (other('backbone', lstm_dws_conv=True), ['conv3x3_dws', 'not in the checkpoint']),
        (other('backbone', recurrent=False), ['lstm.conv1x1', 'no counterpart']),
        (other('neck', num_csp_blocks=3), ['blocks.1', 'num_csp_blocks=1']),
        (other('bbox_head', num_classes=8), ['(3, 16, 1, 1)', '(8, 16, 1, 1)', 'num_classes=3']),
        (four_levels(), ['mdl.fpn.bu_conv2', 'strides=(8, 16, 32)', 'num_aux_levels=1']),
    ],
)
def test_other_network_is_refused_with_the_config_that_fits(config: dict, words: list) -> None:
    with pytest.raises(UserError) as caught:
        convert_rvt(RVT().state(), MODELS.build(config))
    message = str(caught.value)
    assert message.count('\n') < 12, 'a message, not a listing'
    for word in words:
        assert word in message, message


def test_smaller_network_is_refused() -> None:
    with pytest.raises(UserError, match=r'C3_p4.m.1.conv1.conv.weight has no counterpart'):
        convert_rvt(RVT(blocks=2).state(), MODELS.build(plain_config(blocks=1)))


@pytest.mark.parametrize('part', ['neck', 'bbox_head'])
def test_other_batch_norm_is_refused(part: str) -> None:
    config = other(part, norm_cfg=dict(type='BN', momentum=0.03, eps=0.001))
    with pytest.raises(UserError) as caught:
        convert_rvt(RVT().state(), MODELS.build(config))
    assert f'model.{part}' in str(caught.value)
    assert "norm_cfg=dict(type='BN', momentum=0.1, eps=1e-5)" in str(caught.value)


def test_what_is_no_part_of_the_detector_is_named() -> None:
    extra = {
        'mdl.backbone.stages.0.mask_token': torch.zeros(1, 1, 1, 8),
        'metric.total': torch.zeros(1),
    }
    model = MODELS.build(plain_config())
    converted, unused = convert_rvt({**RVT().state(), **extra}, model)
    assert set(unused) == set(extra)
    assert 'masked' in unused['mdl.backbone.stages.0.mask_token']
    assert list(converted) == list(model.state_dict())


def test_names_outside_the_network_have_none() -> None:
    assert plain_name('mdl.fpn.C3_n4.m.1.conv2.bn.bias') == (
        'neck.bottom_up_blocks.1.blocks.1.conv2.bn.bias'
    )
    assert plain_name('mdl.yolox_head.stems.2.conv.weight') == 'neck.out_convs.2.conv.weight'
    assert plain_name('mdl.fpn_other.C3_p4.conv1.conv.weight') is None


class Greeting:
    """Something that only full unpickling brings back."""


def test_reading_needs_trust_for_more_than_weights(tmp_path: Path) -> None:
    path, state = tmp_path / 'rvt.ckpt', RVT().state()
    torch.save(dict(state_dict=state, hyper_parameters=Greeting()), path)
    with pytest.raises(UserError, match=r'(?s)more than weights.*any program.*--trust'):
        read_rvt_state(str(path))
    with weights_only(trust=True):
        read = read_rvt_state(str(path))
    assert list(read) == list(state) and all(torch.equal(read[k], state[k]) for k in state)


@pytest.mark.parametrize(
    'content', [[1, 2], dict(state_dict={}), dict(state_dict={'backbone.w': torch.zeros(1)})]
)
def test_other_checkpoints_are_refused(tmp_path: Path, content: object) -> None:
    torch.save(content, tmp_path / 'other.ckpt')
    with pytest.raises(UserError, match='no checkpoint of RVT'):
        read_rvt_state(str(tmp_path / 'other.ckpt'))


def test_unreadable_file_is_refused(tmp_path: Path) -> None:
    torch.save(dict(state_dict=RVT().state()), tmp_path / 'rvt.ckpt')
    (tmp_path / 'cut.ckpt').write_bytes((tmp_path / 'rvt.ckpt').read_bytes()[:-500])
    with pytest.raises(UserError, match='cannot be read'):
        read_rvt_state(str(tmp_path / 'cut.ckpt'))
