"""Whether a graph in ONNX Runtime says what the detector says in PyTorch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from abc_mmdet.deployment.exportable_detector import ExportableDetector, example_inputs
from abc_mmdet.deployment.onnx_detector import detections_of, suppression_of
from abc_mmdet.deployment.recorded import Recorded
from mmdet.structures import DetDataSample

Outputs = tuple[Tensor, ...]
STEPS = 3  # of a recurrent detector


@dataclass
class Agreement:
    """Differences, the largest of all comparisons.

    Attributes:
        score: of scores of all places of the pyramid.
        box: of the corners of their boxes, in pixels of the input.
        relative_box: the same as a share of the box's longer side, or of 8 pixels if it is shorter.
        state: of the states of a recurrent detector.
        detections: of PyTorch, after suppression ...
        alike: ... of which the graph gives one of the same class with all of box and score within
            the bound.
        surplus: detections of the graph that are none of PyTorch's.
    """

    score: float = 0.0
    box: float = 0.0
    relative_box: float = 0.0
    state: float = 0.0
    detections: int = 0
    alike: int = 0
    surplus: int = 0


@dataclass(frozen=True)
class Bound:
    """What may differ: scores (and states), and boxes, these in pixels or as a share of the box.

    A detection that is one place off the edge of a threshold is no error of the export, so a share
    of the detections may have no partner.
    """

    value: float
    is_relative: bool
    share_without_partner: float

    def allows(self, agreement: Agreement) -> bool:
        """Whether all differences are within it."""
        box = agreement.relative_box if self.is_relative else agreement.box
        without = agreement.detections - agreement.alike + agreement.surplus
        return (
            max(agreement.score, agreement.state, box) <= self.value
            and without <= self.share_without_partner * agreement.detections
        )


FP32 = Bound(1e-3, is_relative=False, share_without_partner=0.01)
FP16 = Bound(5e-2, is_relative=True, share_without_partner=0.1)


def compare(
    model: ExportableDetector,
    sessions: tuple[Any, Any],
    recorded: Recorded,
    inputs: Sequence[Tensor],
    bound: Bound,
) -> Agreement:
    """Run both on the same inputs.

    Args:
        model: in PyTorch, float32.
        sessions: of the graph that ends before the suppression, and of the one that was asked for.
        recorded: of the latter.
        inputs: ``(B, C, H, W)``, preprocessed; each also starts a stream of :data:`STEPS` steps if
            the detector is recurrent.
        bound: which detections are alike.
    """
    agreement = Agreement()
    for images in inputs:
        _, *states = example_inputs(model, *(images.shape[i] for i in (0, 2, 3)))
        theirs = [state.numpy() for state in states]
        for step in range(STEPS if states else 1):
            images = images.roll(4 * step, dims=-1)
            with torch.no_grad():
                expected = model(images, *states)
            states = list(expected[2:])
            raw = _run(sessions[0], images, recorded, theirs)
            _compare_raw(agreement, expected, raw)
            final = _run(sessions[1], images, recorded, theirs)
            number = len(final) - len(states)
            _compare_detections(
                agreement,
                _predict(model, images) if not states else _suppressed(recorded, expected),
                [
                    detections_of(recorded, [o[i] for o in final[:number]])
                    for i in range(len(images))
                ],
                bound,
            )
            theirs = [state.numpy() for state in final[number:]]
    return agreement


def _run(
    session: Any, images: Tensor, recorded: Recorded, states: list[np.ndarray]
) -> list[Tensor]:
    feed = {'images': images.numpy(), **dict(zip(recorded.states, states, strict=True))}
    return [torch.from_numpy(output) for output in session.run(None, feed)]


def _predict(model: ExportableDetector, images: Tensor) -> list[tuple[Tensor, ...]]:
    """Detections by the head's own way, with its own suppression."""
    detector: Any = model.detector
    shape = tuple(images.shape[-2:])
    meta = dict(img_shape=shape, ori_shape=shape, pad_shape=shape, scale_factor=(1.0, 1.0))
    samples = [DetDataSample(metainfo=dict(meta)) for _ in images]
    with torch.no_grad():
        found = detector.bbox_head.predict(detector.extract_feat(images), samples)
    return [(each.bboxes, each.scores, each.labels) for each in found]


def _suppressed(recorded: Recorded, outputs: Outputs) -> list[tuple[Tensor, ...]]:
    suppress = suppression_of(recorded)
    return [suppress(*of_image) for of_image in zip(outputs[0], outputs[1], strict=True)]


def _compare_raw(agreement: Agreement, expected: Outputs, got: Sequence[Tensor]) -> None:
    box = (got[0] - expected[0]).abs().amax(dim=-1)
    size = (expected[0][..., 2:] - expected[0][..., :2]).amax(dim=-1).clamp(min=8)
    agreement.box = max(agreement.box, box.max().item())
    agreement.relative_box = max(agreement.relative_box, (box / size).max().item())
    agreement.score = max(agreement.score, (got[1] - expected[1]).abs().max().item())
    for theirs, ours in zip(got[2:], expected[2:], strict=True):
        agreement.state = max(agreement.state, (theirs - ours).abs().max().item())


def _compare_detections(
    agreement: Agreement,
    expected: Sequence[tuple[Tensor, ...]],
    got: Sequence[tuple[Tensor, ...]],
    bound: Bound,
) -> None:
    for (boxes, scores, labels), (their_boxes, their_scores, their_labels) in zip(
        expected, got, strict=True
    ):
        size = (boxes[:, 2:] - boxes[:, :2]).amax(dim=-1).clamp(min=8)
        allowed = bound.value * (size if bound.is_relative else torch.ones_like(size))
        box = (boxes[:, None] - their_boxes[None]).abs().amax(dim=-1)
        is_like = (
            (box <= allowed[:, None])
            & ((scores[:, None] - their_scores[None]).abs() <= bound.value)
            & (labels[:, None] == their_labels[None])
        )
        agreement.detections += len(boxes)
        agreement.alike += int(is_like.any(dim=1).sum())
        agreement.surplus += int((~is_like.any(dim=0)).sum())
