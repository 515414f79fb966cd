"""Suppression in a graph, beside it, and by an independent loop."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from mmengine.config import ConfigDict
from mmengine.model import BaseModule

from abc_mmdet.deployment.decoding import Candidates
from abc_mmdet.deployment.suppression import NO_LIMIT, Suppression
from abc_mmdet.errors import UserError
from mmdet.registry import MODELS

onnx = pytest.importorskip('onnx', reason="pip install 'abc_mmdet[onnx]'")
onnxruntime = pytest.importorskip('onnxruntime', reason="pip install 'abc_mmdet[onnx]'")

SUPPRESSIONS = [
    Suppression(0.5, False, 20),
    Suppression(0.5, False, 4),
    Suppression(0.3, True, 20),
    Suppression(0.3, False, NO_LIMIT),
]


def pass_through() -> 'onnx.ModelProto':
    """A detector whose inputs are its outputs."""
    return onnx.parser.parse_model("""
        <ir_version: 8, opset_import: ["" : 18]>
        detector (float[batch, n, 4] b, float[batch, n, c] s, float[batch, 2] h)
            => (float[batch, n, 4] all_boxes, float[batch, n, c] all_scores,
                float[batch, 2] h_after)
        {
            all_boxes = Identity(b)
            all_scores = Identity(s)
            h_after = Identity(h)
        }""")


@pytest.fixture(scope='module')
def sessions() -> list:
    models = [suppression.append_to(pass_through()) for suppression in SUPPRESSIONS]
    for model in models:
        onnx.checker.check_model(model)
    return [onnxruntime.InferenceSession(model.SerializeToString()) for model in models]


def suppressed(
    suppression: Suppression, boxes: np.ndarray, scores: np.ndarray
) -> list[tuple[int, int]]:
    """Place and class of what stays, best first."""
    left = [
        (scores[i, c], i, c)
        for i in range(len(boxes))
        for c in range(scores.shape[1])
        if scores[i, c] > 0
    ]
    kept: list[tuple[int, int]] = []
    for _, i, c in sorted(left, reverse=True):
        is_new = all(
            (c != d and not suppression.class_agnostic)
            or iou(boxes[i], boxes[j]) <= suppression.iou_threshold
            for j, d in kept
        )
        if is_new:
            kept.append((i, c))
    return kept[: suppression.max_per_image]


def iou(a: np.ndarray, b: np.ndarray) -> float:
    sides = np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2])
    common = np.prod(np.maximum(sides, 0))
    return float(common / (np.prod(a[2:] - a[:2]) + np.prod(b[2:] - b[:2]) - common))


@given(
    which=st.integers(0, len(SUPPRESSIONS) - 1),
    number=st.integers(1, 25),
    crowd=st.floats(5, 60),
    seed=st.integers(0, 10_000),
)
def test_three_ways_agree(which: int, number: int, crowd: float, seed: int, sessions: list) -> None:
    generator = np.random.default_rng(seed)
    corners = generator.uniform(0, crowd, (2, number, 2))
    sides = generator.uniform(4, 30, (2, number, 2))
    boxes = np.concatenate([corners, corners + sides], axis=-1).astype(np.float32)
    # No two scores alike, whose order would be anybody's choice; the second image is dimmer
    scores = generator.permutation(2 * number * 3).reshape(2, number, 3) / (2 * number * 3)
    scores = (scores * np.array([1.0, 0.5])[:, None, None]).astype(np.float32)
    scores[scores < 0.2] = 0  # no candidates
    states = np.ones((2, 2), np.float32)

    outputs = sessions[which].run(None, {'b': boxes, 's': scores, 'h': states})
    names = [output.name for output in sessions[which].get_outputs()]
    assert names == ['boxes', 'scores', 'labels', 'h_after']
    suppression = SUPPRESSIONS[which]
    for i in range(2):
        expected = suppressed(suppression, boxes[i], scores[i])
        beside = suppression(torch.from_numpy(boxes[i]), torch.from_numpy(scores[i]))
        is_found = outputs[1][i] > 0
        inside = [output[i][is_found] for output in outputs[:3]]
        for found in ([part.numpy() for part in beside], inside):
            assert found[2].tolist() == [c for _, c in expected]
            assert np.array_equal(found[1], [scores[i, j, c] for j, c in expected])
            assert np.array_equal(found[0].reshape(-1, 4), boxes[i][[j for j, _ in expected]])
        assert not outputs[1][i][len(expected) :].any()
    assert outputs[1].shape[1] == max(1, max(is_found.sum() for is_found in outputs[1] > 0))


def head(kind: str, **test_cfg: object) -> BaseModule:
    options = dict(num_classes=2, in_channels=4, feat_channels=4, stacked_convs=1)
    return MODELS.build(dict(options, type=kind, test_cfg=ConfigDict(test_cfg)))


def test_read_from_a_test_cfg() -> None:
    nms = dict(type='nms', iou_threshold=0.65)
    yolox = head('YOLOXHead', score_thr=0.001, nms=dict(nms, max_num=300), max_per_img=5)
    assert Suppression.of(yolox) == Suppression(0.65, False, 300)
    assert Candidates.of(yolox) == Candidates(0.001, 0, True, False)
    assert Suppression.of(head('YOLOXHead', nms=nms)) == Suppression(0.65, False, NO_LIMIT)
    retina = dict(nms=dict(iou_threshold=0.5, class_agnostic=True), max_per_img=100, score_thr=0.05)
    built = head('RetinaHead', **retina, nms_pre=1000, min_bbox_size=0)
    assert Suppression.of(built) == Suppression(0.5, True, 100)
    assert Candidates.of(built) == Candidates(0.05, 1000, False, True)
    with pytest.raises(UserError, match='soft_nms'):
        Suppression.of(head('RetinaHead', nms=dict(type='soft_nms', iou_threshold=0.5)))
    with pytest.raises(UserError, match='min_bbox_size=3'):
        Candidates.of(head('RetinaHead', min_bbox_size=3))
