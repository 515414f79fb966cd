"""Features and detections of a converted checkpoint, step by step."""

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from torch import Tensor

import abc_mmdet
from abc_mmdet.models.backbones.maxvit_rnn import ARCHS
from abc_mmdet.models.rvt_checkpoint import convert_rvt, read_rvt_state
from mmdet.registry import MODELS

from .row import Row, relative, rvt_module

CONFIG = Path(abc_mmdet.__file__).parents[1] / 'configs' / 'baseline_3level_100k.py'


def rvt_network(folder: Path, arch: dict, size: tuple[int, int], num_classes: int) -> Any:
    """RVT's detector with random weights, of which all take part."""
    from omegaconf import OmegaConf

    config = OmegaConf.load(folder / 'config/model/maxvit_yolox/default.yaml').model
    config.backbone.embed_dim = arch['embed_dim']
    config.backbone.stage.attention.dim_head = arch['dim_head']
    config.backbone.in_res_hw = size
    config.backbone.stage.attention.partition_size = tuple(side // 64 for side in size)
    config.head.num_classes = num_classes
    detector = rvt_module('models.detection.yolox_extension.models.detector')
    network = detector.YoloXDetector(config).eval()
    for name, value in network.state_dict().items():
        if name.endswith(('gamma', 'running_var')):  # layer scales begin at 1e-5
            value.uniform_(0.5, 1.5)
        elif name.endswith('running_mean'):
            value.normal_(std=0.1)
    return network


def compare_networks(folder: Path, arch: str, steps: int) -> Iterator[Row]:
    """Backbone, pyramid and detections of a converted checkpoint, step by step."""
    config = Config.fromfile(CONFIG)
    embed, num_classes = ARCHS[arch]['embed_dim'], config.model.bbox_head.num_classes
    config.model.backbone.arch = arch
    config.model.neck.update(in_channels=[2 * embed, 4 * embed, 8 * embed], out_channels=2 * embed)
    config.model.bbox_head.update(in_channels=2 * embed, feat_channels=2 * embed)
    ours = MODELS.build(config.model).eval()
    theirs = rvt_network(folder, ARCHS[arch], (384, 640), num_classes)
    with tempfile.TemporaryDirectory() as temporary:
        path = str(Path(temporary, 'rvt.ckpt'))
        torch.save(dict(state_dict={f'mdl.{k}': v for k, v in theirs.state_dict().items()}), path)
        ours.load_state_dict(convert_rvt(read_rvt_state(path), ours)[0])
    pad = rvt_module('utils.padding').InputPadderFromShape((384, 640)).pad_tensor_ev_repr
    our_states = their_states = None
    largest = dict.fromkeys(('backbone', 'pyramid', 'decoded boxes', 'scores'), 0.0)
    for _ in range(steps):
        events = torch.poisson(torch.full((1, 20, 360, 640), 0.3)).clamp(max=10)
        with torch.no_grad():
            features, our_states = ours.backbone(events, our_states)
            expected, their_states = theirs.forward_backbone(pad(events), their_states)
            pyramid, of_fpn = ours.neck(features), theirs.fpn(expected)
            boxes, scores = decoded(ours.bbox_head, *ours.bbox_head(pyramid))
            outputs, _ = theirs.yolox_head(of_fpn)
        pairs = {
            'backbone': zip(features, [expected[stage] for stage in (2, 3, 4)], strict=True),
            # the first convolution of RVT's head is the last one of our neck
            'pyramid': zip(pyramid, theirs_after_stems(theirs, of_fpn), strict=True),
            'decoded boxes': [(boxes, corners(outputs[..., :4]))],
            'scores': [(scores, outputs[..., 4:])],
        }
        for name, compared in pairs.items():
            largest[name] = max(largest[name], *(relative(*pair) for pair in compared))
    for name, difference in largest.items():
        yield Row(f'network {arch}: {name}', steps, difference, 1e-4)


def theirs_after_stems(network: Any, features: Any) -> list[Tensor]:
    """RVT's pyramid as its head's branches see it."""
    with torch.no_grad():
        return [stem(x) for stem, x in zip(network.yolox_head.stems, features, strict=True)]


def decoded(head: Any, classes: Any, boxes: Any, objects: Any) -> tuple[Tensor, Tensor]:
    """Boxes x1, y1, x2, y2, and objectness and class scores beside one another."""
    sizes = [level.shape[-2:] for level in classes]
    priors = torch.cat(head.prior_generator.grid_priors(sizes, device='cpu', with_stride=True))
    flat = [torch.cat([m.flatten(2) for m in maps], 2).mT for maps in (boxes, objects, classes)]
    return head._bbox_decode(priors, flat[0]), torch.cat(flat[1:], 2).sigmoid()


def corners(boxes: Tensor) -> Tensor:
    """Corners of boxes given as centre and size."""
    half = boxes[..., 2:] / 2
    return torch.cat([boxes[..., :2] - half, boxes[..., :2] + half], -1)
