"""MMDetection's own single-stage detectors as ONNX, from image to detections."""

from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config

from abc_mmdet.deployment import OnnxDetector, export_onnx, write_onnx
from abc_mmdet.inference import Detections, Detector
from mmdet.registry import MODELS

from .test_decoding import HEADS

pytest.importorskip('onnxscript', reason="pip install 'abc_mmdet[onnx]'")
pytest.importorskip('onnxruntime', reason="pip install 'abc_mmdet[onnx]'")

DETECTORS = {
    'YOLOXHead': 'YOLOX',
    'GFLHead': 'GFL',
    'ATSSHead': 'ATSS',
    'RetinaHead': 'RetinaNet',
    'RTMDetSepBNHead': 'RTMDet',
    'FCOSHead': 'FCOS',
}
CLASSES = ('car', 'van', 'person')


def config(kind: str, to_float32: bool) -> Config:
    head = dict(type=kind, num_classes=len(CLASSES), in_channels=16, feat_channels=16)
    test_cfg = dict(score_thr=0.05, nms=dict(type='nms', iou_threshold=0.6))
    if kind != 'YOLOXHead':
        test_cfg |= dict(nms_pre=60, min_bbox_size=0, max_per_img=100)
    model = dict(
        type=DETECTORS[kind],
        data_preprocessor=dict(
            type='DetDataPreprocessor',
            mean=[123.675, 116.28, 103.53],
            std=[58.395, 57.12, 57.375],
            bgr_to_rgb=True,
            pad_size_divisor=32,
        ),
        backbone=dict(
            type='ResNet', depth=18, base_channels=8, num_stages=4, out_indices=(1, 2, 3)
        ),
        neck=dict(type='FPN', in_channels=[16, 32, 64], out_channels=16, num_outs=3),
        bbox_head=dict(head, **HEADS[kind]),
        test_cfg=test_cfg,
    )
    pipeline = [
        dict(type='LoadImageFromFile', to_float32=to_float32),
        dict(type='Resize', scale=(150, 110), keep_ratio=True),
        dict(type='PackDetInputs'),
    ]
    dataset = dict(
        type='CocoDataset', metainfo=dict(classes=CLASSES), pipeline=pipeline, ann_file='none.json'
    )
    return Config(dict(model=model, test_dataloader=dict(dataset=dataset)))


def write_weights(experiment: Config, path: Path) -> None:
    """Random ones that find something everywhere, beyond the borders too."""
    torch.manual_seed(0)
    model = MODELS.build(experiment.model)
    model.init_weights()
    for name, parameter in model.bbox_head.named_parameters():
        is_last = any(part in name for part in ('_cls', 'conv_obj', 'centerness', '_reg'))
        if name.endswith('bias'):
            parameter.data.zero_()
        elif is_last and parameter.ndim == 4:
            torch.nn.init.normal_(parameter, std=0.1)
    torch.save(dict(state_dict=model.state_dict(), meta={}), path)


def alike(ours: Detections, theirs: Detections) -> int:
    """How many detections of one are among those of the other."""
    near = np.isclose(ours.boxes[:, None], theirs.boxes[None], rtol=0, atol=0.02).all(axis=-1)
    near &= np.isclose(ours.scores[:, None], theirs.scores[None], rtol=0, atol=1e-4)
    near &= ours.labels[:, None] == theirs.labels[None]
    return int(near.any(axis=1).sum())


@pytest.mark.slow
@pytest.mark.parametrize('nms', [True, False], ids=['with_nms', 'without'])
@pytest.mark.parametrize('kind', DETECTORS)
def test_detections_are_those_of_pytorch(kind: str, nms: bool, tmp_path: Path) -> None:
    """Two images of one batch whose sides are no multiples of 32, so that borders are inside."""
    experiment = config(kind, to_float32=nms)
    write_weights(experiment, tmp_path / 'weights.pth')
    exported = export_onnx(experiment, str(tmp_path / 'weights.pth'), nms=nms)
    assert exported.is_good, exported.agreement
    assert exported.recorded.clips == (kind != 'YOLOXHead')
    assert exported.recorded.to_float32 == nms
    write_onnx(exported, str(tmp_path / 'detector.onnx'))
    random = np.random.default_rng(0)
    images = list(random.integers(0, 256, (2, 70, 90, 3), np.uint8))
    # Blobs, not noise, which is the same everywhere to a network
    images = [np.kron(p[::10, ::10], np.ones((10, 10, 1), np.uint8)) for p in images]
    found = OnnxDetector(str(tmp_path / 'detector.onnx'), batch_size=2)(images)
    expected = Detector(experiment, tmp_path / 'weights.pth', 'cpu', batch_size=2)(images)
    for ours, theirs in zip(found, expected, strict=True):
        number = len(theirs.scores)
        assert number > 20
        at_border = (theirs.boxes[:, 2:] >= [89.99, 69.99]).any() or (theirs.boxes <= 0).any()
        # RTMDet has small boxes where it has random weights
        assert at_border or kind == 'RTMDetSepBNHead', 'the borders of the image matter'
        # The last digit decides which of two equally good boxes suppresses the other
        assert abs(len(ours.scores) - number) <= 0.03 * number
        assert alike(ours, theirs) >= 0.97 * number
