"""A level that grows: at first the detector with it detects what the one without it does."""

import copy
import functools
import os
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.structures import InstanceData
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.modules.batchnorm import _BatchNorm

from abc_mmdet.datasets.synthetic.traffic_scene import TrafficScene
from abc_mmdet.engine.pretrained_weights_hook import head_layouts
from abc_mmdet.models.pretrained_weights import Transfer, transfer
from abc_mmdet.models.yolox_names import tensors_of
from mmdet.datasets import CocoDataset
from mmdet.registry import MODELS
from mmdet.structures import DetDataSample
from mmdet.structures.bbox import bbox_overlaps

ROOT = Path(__file__).parents[2]
COCO = CocoDataset.METAINFO['classes']
NANO, SMALL = (f'configs/_base_/models/yolox_{name}.py' for name in ('nano_3level', '3level'))
GROWN_NECK, GROWN_HEAD = 'GrownPAFPN', 'GrownYOLOXHead'
SIZE = 160, 192
COCO_WEIGHTS = os.environ.get('ABC_YOLOX_NANO', '')


def build(config: str, num_classes: int = 80, neck: str = '', head: str = '') -> nn.Module:
    """A detector; with four levels if a kind of neck and head is given."""
    return copy.deepcopy(_built(config, num_classes, neck, head))


@functools.cache
def _built(config: str, num_classes: int, neck: str, head: str) -> nn.Module:
    model = Config.fromfile(ROOT / config).model
    model.bbox_head.num_classes = num_classes
    model.test_cfg.score_thr = 0.01
    model.test_cfg.nms.max_num = -1  # of equals at the end of a list any could be left out
    if neck:
        finest = model.neck.in_channels[0] // 2
        model.backbone.out_indices = (1, 2, 3, 4)
        model.neck.update(type=neck, in_channels=[finest, *model.neck.in_channels])
        model.bbox_head.update(type=head, strides=(4, 8, 16, 32))
    torch.manual_seed(0)
    detector = MODELS.build(model)
    detector.init_weights()
    return detector.eval()


def grow(source: nn.Module, model: nn.Module, classes: Sequence[str] | None = COCO) -> Transfer:
    main, aux = head_layouts(model, classes)
    names = COCO if source.bbox_head.num_classes == len(COCO) else classes
    result = transfer(source.state_dict(), model, main, aux, names)
    model.load_state_dict(result.state)
    model.eval()
    return result


@torch.no_grad()
def diversify(model: nn.Module, images: Tensor) -> nn.Module:
    """Random weights that see a difference between one place and another, and find something."""
    norms = [m for m in model.modules() if isinstance(m, _BatchNorm)]
    for norm in norms:
        norm.momentum = 1.0
    model.train()(images)
    head = model.bbox_head
    for layers, scale in (('cls', 0.3), ('reg', 0.02), ('obj', 0.3)):
        for layer in getattr(head, f'multi_level_conv_{layers}'):
            nn.init.normal_(layer.weight, std=scale)
            nn.init.normal_(layer.bias, mean=1.0 if layers == 'reg' else -3.0, std=0.2)
    return model.eval()


def noise() -> Tensor:
    return torch.rand(1, 3, *SIZE, generator=torch.Generator().manual_seed(3)) * 255


def street() -> Tensor:
    """A drawn street, with a camera's noise: nothing in it is the same twice."""
    image = TrafficScene(5, size=SIZE[::-1]).render(2.0)
    return torch.from_numpy(image).permute(2, 0, 1)[None].float() + noise() / 64


@torch.no_grad()
def detections(model: nn.Module, images: Tensor) -> InstanceData:
    sample = DetDataSample(metainfo=dict(img_shape=SIZE, scale_factor=(1, 1)))
    return model.predict(images, [sample])[0].pred_instances


def repeated(x: Tensor) -> Tensor:
    return x.repeat_interleave(2, -2).repeat_interleave(2, -1)


def decoded(model: nn.Module, level: int, prediction: Tensor) -> Tensor:
    """``(H, W, 4)`` boxes of a level, by MMDetection's own priors and decoding."""
    size = prediction.shape[-2:]
    head = model.bbox_head
    sizes = [(SIZE[0] // stride, SIZE[1] // stride) for stride in head.strides]
    priors = head.prior_generator.grid_priors(sizes, device='cpu', with_stride=True)[level]
    boxes = head._bbox_decode(priors, prediction.permute(0, 2, 3, 1).reshape(1, -1, 4))
    return boxes.reshape(*size, 4)


@torch.no_grad()
def rounding_error(model: nn.Module, images: Tensor) -> float:
    """Bound of what summing the 1 x 1 box layer of stride 8 in another order changes, in strides.

    A sum of n products has an error of at most ``n * 2**-24`` of the sum of their magnitudes
    (Higham, 2002), on either side.
    """
    head = model.bbox_head
    features = head.multi_level_reg_convs[0](model.extract_feat(images)[0])
    layer = head.multi_level_conv_reg[0]
    magnitude = F.conv2d(features.abs(), layer.weight.abs(), layer.bias.abs()).max().item()
    return 2 * (features.shape[1] + 4) * 2**-24 * magnitude


def random_pair(config: str, images: Tensor) -> tuple[nn.Module, nn.Module]:
    plain = diversify(build(config), images)
    grown = build(config, neck=GROWN_NECK, head=GROWN_HEAD)
    grow(plain, grown)
    return plain, grown


def pretrained_pair() -> tuple[nn.Module, nn.Module]:
    """COCO's YOLOX-Nano, plain and grown."""
    tensors = tensors_of(torch.load(COCO_WEIGHTS, map_location='cpu', weights_only=False))
    plain, grown = build(NANO), build(NANO, neck=GROWN_NECK, head=GROWN_HEAD)
    plain.load_state_dict(tensors)
    grow(plain, grown)
    return plain, grown


needs_coco = pytest.mark.skipif(not COCO_WEIGHTS, reason='ABC_YOLOX_NANO is not set')


@pytest.mark.parametrize('image', [noise, street])
@pytest.mark.parametrize('kind', [NANO, SMALL, pytest.param('coco', marks=needs_coco)])
def test_at_first_it_detects_what_the_plain_detector_does(kind: str, image) -> None:
    images = image()
    plain, grown = pretrained_pair() if kind == 'coco' else random_pair(kind, images)
    theirs, ours = detections(plain, images), detections(grown, images)
    if not (kind == 'coco' and image is noise):  # in which COCO's detector sees nothing
        assert len(theirs) > 5
    assert len(ours) == len(theirs)  # NMS removes all that the new level says
    if not len(theirs):
        return
    overlaps = bbox_overlaps(theirs.bboxes, ours.bboxes)
    overlaps[theirs.labels[:, None] != ours.labels[None]] = 0
    overlaps[(theirs.scores[:, None] - ours.scores[None]).abs() > 1e-5] = 0
    best, match = overlaps.max(1)
    assert len(set(match.tolist())) == len(match)
    # Corners move by the error of a centre in units of 8 pixels, of a size relative to it, and of
    # coordinates. Boxes whose corners are at most e off have at least this IoU.
    error = rounding_error(plain, images)
    sides = (theirs.bboxes[:, 2:] - theirs.bboxes[:, :2]).double()
    e = (8 + sides.amax(1, keepdim=True)) * error + theirs.bboxes.abs().max() * 2**-21
    bound = ((sides - 2 * e) / (sides + 2 * e)).prod(1)
    assert bound.median() > 0.98
    assert bound.min() > 0.65  # so NMS has to remove the copies
    assert (best >= bound).all()


@pytest.mark.parametrize('config', [NANO, SMALL])
@torch.no_grad()
def test_maps_are_the_repeated_maps_of_the_next_level(config: str) -> None:
    images = street()
    plain, grown = random_pair(config, images)
    theirs, ours = plain.extract_feat(images), grown.extract_feat(images)
    assert torch.equal(ours[0], repeated(theirs[0]))
    assert all(torch.equal(a, b) for a, b in zip(ours[1:], theirs, strict=True))
    theirs, ours = plain.bbox_head(theirs), grown.bbox_head(ours)
    for one, other in zip(ours, theirs, strict=True):
        assert all(torch.equal(a, b) for a, b in zip(one[1:], other, strict=True))
    for kind in (0, 2):  # classes, objectness
        assert ours[kind][0].std() > 0.1
        assert torch.allclose(ours[kind][0], repeated(theirs[kind][0]), rtol=0, atol=1e-5)
    boxes = decoded(grown, 0, ours[1][0])
    expected = repeated(decoded(plain, 0, theirs[1][0]).permute(2, 0, 1)).permute(1, 2, 0)
    assert expected.std() > 10
    assert torch.allclose(boxes, expected, rtol=1e-5, atol=1e-3)
    # What the biases of places are for: without them half of the boxes lie a stride off
    grown.bbox_head.multi_level_conv_reg[0].place_bias.zero_()
    off = decoded(grown, 0, grown.bbox_head(grown.extract_feat(images))[1][0]) - boxes
    assert torch.allclose(off[0::2, 0::2], torch.zeros(4), atol=1e-3)
    assert torch.allclose(off[1::2, 0::2], torch.tensor([0.0, 4, 0, 4]), atol=1e-3)
    assert torch.allclose(off[0::2, 1::2], torch.tensor([4.0, 0, 4, 0]), atol=1e-3)


def test_classes_by_name_in_the_new_level_too() -> None:
    source, model = build(NANO), build(NANO, 3, GROWN_NECK, GROWN_HEAD)
    diversify(source, noise())
    result = grow(source, model, ('Person', 'Vehicle', 'drone'))
    assert result.classes == {'Person': 'person', 'Vehicle': 'car', 'drone': None}
    fine, coarse = model.bbox_head.multi_level_conv_cls[:2]
    assert torch.equal(fine.weight, coarse.weight) and torch.equal(fine.bias, coarse.bias)
    rows = source.bbox_head.multi_level_conv_cls[0].weight[
        [COCO.index('person'), COCO.index('car')]
    ]
    assert torch.equal(fine.weight[:2], rows)


def test_the_table_says_what_is_grown() -> None:
    result = grow(build(NANO), build(NANO, neck=GROWN_NECK, head=GROWN_HEAD))
    lines = result.table().splitlines()
    assert lines[2].split() == ['neck', '198', 'of', '212', '99', '%', 'growth.0,', 'growth.1']
    assert lines[3].split() == ['bbox_head', '217', 'of', '217', '100', '%']
    assert lines[4] == 'levels: strides 8, 16, 32 -> 4, 8, 16, 32'
    # 54 of the head of stride 8, and the biases of places
    assert lines[5] == 'grown: stride 4 of the head from stride 8, boxes rescaled (55 tensors)'
    assert not result.unused


def test_a_grown_detector_is_taken_over_as_it_is() -> None:
    source, model = (build(NANO, neck=GROWN_NECK, head=GROWN_HEAD) for _ in range(2))
    with torch.no_grad():
        for parameter in source.parameters():
            parameter.uniform_(0.1, 1)
    result = grow(source, model)
    assert not (result.new or result.unused or result.grown)
    assert all(torch.equal(v, model.state_dict()[k]) for k, v in source.state_dict().items())


def test_a_plain_detector_takes_what_a_grown_one_grew_on() -> None:
    source, model = build(NANO, neck=GROWN_NECK, head=GROWN_HEAD), build(NANO)
    diversify(source, noise())
    result = grow(source, model)
    assert not result.new
    with torch.no_grad():
        pairs = zip(source(noise()), model(noise()), strict=True)
    assert all(torch.equal(a, b) for one, two in pairs for a, b in zip(one[1:], two, strict=True))


def test_grown_and_other_heads_of_stride_4_are_not_the_same() -> None:
    """Dilation is not among the weights: the one would be wrong with those of the other."""
    other = dict(neck='YOLOXPAFPN', head='YOLOXHead')
    source, model = build(NANO, **other), build(NANO, neck=GROWN_NECK, head=GROWN_HEAD)
    diversify(source, noise())
    result = grow(source, model)
    assert len(result.grown) == 55
    assert torch.equal(
        model.bbox_head.multi_level_conv_cls[0].weight,
        source.bbox_head.multi_level_conv_cls[1].weight,
    )
    assert torch.equal(model.neck.out_convs[0].conv.weight, source.neck.out_convs[1].conv.weight)
    result = grow(build(NANO, neck=GROWN_NECK, head=GROWN_HEAD), build(NANO, **other))
    assert all('.0.' in n for n in result.new if n.startswith('bbox_head')) and not result.grown
    assert sum(n.startswith('bbox_head') for n in result.new) == 54


def test_nothing_to_grow_on() -> None:
    source, model = build(NANO), build(NANO, neck=GROWN_NECK, head=GROWN_HEAD)
    backbone = {k: v for k, v in source.state_dict().items() if k.startswith('backbone.')}
    result = transfer(backbone, model, *head_layouts(model, COCO), COCO)
    assert not result.grown and all(n.startswith('backbone.') for n in result.taken)
    assert 'grown' not in result.table()


def test_inside_abc_head() -> None:
    config = Config.fromfile(ROOT / NANO).model
    main = dict(config.bbox_head, type=GROWN_HEAD, strides=(4, 8, 16, 32))
    config.backbone.out_indices = (1, 2, 3, 4)
    config.neck.update(type=GROWN_NECK, in_channels=[32, 64, 128, 256])
    aux = dict(type='AuxSmallObjectHead', in_channels=64, strides=(4, 8))
    aux.update(norm_cfg=main['norm_cfg'], act_cfg=main['act_cfg'])
    config.bbox_head = dict(
        type='ABCHead',
        classes=('person',),
        small_classes=('person',),
        main_head=main,
        aux_head=aux,
        arbiter=None,
    )
    model = MODELS.build(config)
    result = grow(build(NANO), model, ('person',))
    assert len(result.grown) == 55
    assert all(n.startswith('bbox_head.main_head.') for n in result.grown)


def test_the_branch_learns() -> None:
    """Its last layer at once, though at zero, and what is before it from then on."""
    model = build(NANO, neck=GROWN_NECK, head=GROWN_HEAD)
    grow(diversify(build(NANO), street()), model)
    first, last = model.neck.growth
    for _ in range(2):
        model.zero_grad()
        sum(level.square().mean() for kind in model(street()) for level in kind).backward()
        gradients = [p.grad.abs().sum() for p in first.parameters() if p.ndim == 4]
        assert last.weight.grad.abs().sum() > 0
        assert any(g > 0 for g in gradients) == bool(last.weight.abs().sum() > 0)
        with torch.no_grad():
            last.weight -= 1e-3 * last.weight.grad
