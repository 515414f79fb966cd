"""Whether a graph in ONNX Runtime says what the detector says in PyTorch, on inputs to try."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor, nn

from abc_mmdet.inference.images import as_image, read_image
from mmdet.structures import DetDataSample

from .exportable_detector import ExportableDetector, example_inputs
from .recorded import Recorded, detections_of, suppression_of

BATCHES = (1, 2)


def trial_inputs(
    model: ExportableDetector, sizes: Sequence[tuple[int, int]], samples: Sequence[Any] = ()
) -> list[Tensor]:
    """Preprocessed inputs of every size in batches of 1 and of 2.

    Args:
        model: whose preprocessing it is.
        sizes: width and height.
        samples: files or arrays, of which the first two of each size are taken; default: something
            generated.

    Raises:
        UserError: a file that cannot be read.
    """
    read = [as_image(p) if isinstance(p, np.ndarray) else read_image(p) for p in samples]
    inputs = []
    for width, height in sizes:
        if read:
            resized = [cv2.resize(image, (width, height)) for image in (read * 2)[:2]]
            images = torch.from_numpy(np.stack(resized)).permute(0, 3, 1, 2)
        else:
            images = generated_images(2, width, height, model.channels, model.is_of_events)
        if not model.is_of_events:
            images = model.detector.data_preprocessor(dict(inputs=list(images)))['inputs']
        inputs += [images[:batch] for batch in BATCHES]
    return inputs


def generated_images(
    number: int, width: int, height: int, channels: int, of_events: bool, seed: int = 0
) -> Tensor:
    """Something to look at: blobs, edges and noise from 0 to 255, or counts of events.

    Returns:
        float32 ``(number, channels, height, width)``.
    """
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.rand(
        number, channels, max(2, height // 24), max(2, width // 24), generator=generator
    )
    smooth = nn.functional.interpolate(coarse, (height, width), mode='bilinear')
    edges = nn.functional.interpolate(coarse.flip(0, 2), (height, width), mode='nearest')
    if of_events:
        return torch.poisson(2 * (smooth * edges) ** 3, generator=generator)
    noise = torch.randn(smooth.shape, generator=generator)
    return (255 * (0.6 * smooth + 0.4 * edges) + 8 * noise).clamp(0, 255).round()


Outputs = tuple[Tensor, ...]
ELAPSED = (1.0, 0.5, 2.5)
"""Of a recurrent detector the lengths of three steps, if its memory forgets by time."""


@dataclass
class Agreement:
    """Differences, the largest of all comparisons.

    Attributes:
        score: of scores of all places of the pyramid.
        box: of the corners of boxes with a score above ``score_thr``, in pixels of the input. They
            are cut at one image's side beyond it: where YOLOX sees nothing it may say anything.
        of_allowed: the same, as a part of what :class:`Bound` allows for a box of its size.
        state: of the states of a recurrent detector.
        detections: what stays after suppression: of PyTorch's scores by the head's own way, and of
            the graph's scores beside the graph ...
        alike: ... of which this package's suppression and the graph keep the same.
        surplus: what these keep beyond it.
    """

    score: float = 0.0
    box: float = 0.0
    of_allowed: float = 0.0
    state: float = 0.0
    detections: int = 0
    alike: int = 0
    surplus: int = 0


@dataclass(frozen=True)
class Bound:
    """What may differ.

    A box is decoded from numbers in the head's own units, so the last digits of these are a share
    of the box: corners of a large one differ by more pixels than those of a small one.

    Attributes:
        score: of scores and states.
        pixels: of the corners of a small box.
        share: of the corners of others, of the box's longer side.
    """

    score: float
    pixels: float
    share: float

    def of_boxes(self, sides: Tensor) -> Tensor:
        """How many pixels the corners of boxes with this longer side may differ by."""
        return (self.share * sides).clamp(min=self.pixels)

    def allows(self, agreement: Agreement) -> bool:
        """Whether all differences are within it.

        Where scores are equal, which box suppresses the other is a matter of order: one detection
        in a hundred may differ by that.
        """
        others = agreement.detections - agreement.alike + agreement.surplus
        return (
            all(part <= self.score for part in (agreement.score, agreement.state))
            and agreement.of_allowed <= 1
            and others <= agreement.detections / 100
        )


FP32 = Bound(score=1e-3, pixels=1e-3, share=1e-4)
FP16 = Bound(score=5e-2, pixels=0.4, share=5e-2)


def compare(
    model: ExportableDetector,
    sessions: tuple[Any, Any],
    recorded: Recorded,
    inputs: Sequence[Tensor],
    bound: Bound,
) -> Agreement:
    """Run both on the same inputs.

    Detections of both ends are not compared with each other: a difference in the last digit can
    decide which of two boxes suppresses the other. Compared are the scores and boxes of all places
    before the suppression, and then candidates and suppression on equal numbers.

    Args:
        model: in PyTorch, float32.
        sessions: of the graph that ends before the suppression, and of the one that was asked for.
        recorded: of the latter.
        inputs: ``(B, C, H, W)``, preprocessed; each also starts a stream of three steps
            (:data:`ELAPSED`) if the detector is recurrent.
        bound: for ``of_allowed``.
    """
    agreement = Agreement()
    for images in inputs:
        _, *others = example_inputs(model, *(images.shape[i] for i in (0, 2, 3)))
        number = len(others) - len(recorded.states)
        given, states = others[:number], others[number:]
        sizes = given[:1] if model.clips else []
        theirs = states
        for step, length in enumerate(ELAPSED if states else (1.0,)):
            images = images.roll(4 * step, dims=-1)
            if model.step_ms is not None:
                given[-1] = torch.full_like(given[-1], length)
            with torch.no_grad():
                expected = model(images, *given, *states)
            raw = _run(sessions[0], recorded, images, *given, *theirs)
            final = _run(sessions[1], recorded, images, *given, *theirs)
            _compare_raw(agreement, expected, raw, recorded, max(images.shape[-2:]), bound)
            if not states:
                _compare_detections(
                    agreement, _predict(model, images, sizes), _suppressed(recorded, expected)
                )
            number = len(final) - len(states)
            kept = [
                detections_of(recorded, [o[i] for o in final[:number]]) for i in range(len(images))
            ]
            _compare_detections(agreement, _suppressed(recorded, raw), kept)
            states, theirs = list(expected[3:]), raw[3:]
    return agreement


def _run(session: Any, recorded: Recorded, *inputs: Tensor) -> list[Tensor]:
    feed = {name: i.numpy() for name, i in zip(recorded.inputs, inputs, strict=True)}
    return [torch.from_numpy(output) for output in session.run(None, feed)]


def _predict(model: ExportableDetector, images: Tensor, sizes: list[Tensor]) -> list[Outputs]:
    """Detections by the head's own way, with its own suppression."""
    detector: Any = model.detector
    whole = torch.tensor(images.shape[-2:]).expand(len(images), 2)
    samples = []
    for size in (sizes[0] if sizes else whole).tolist():
        shape = (int(size[0]), int(size[1]))
        meta = dict(img_shape=shape, ori_shape=shape, scale_factor=(1.0, 1.0))
        samples.append(DetDataSample(metainfo=dict(meta, pad_shape=tuple(images.shape[-2:]))))
    with torch.no_grad():
        found = detector.bbox_head.predict(detector.extract_feat(images), samples)
    return [(each.bboxes, each.scores, each.labels) for each in found]


def _suppressed(recorded: Recorded, outputs: Sequence[Tensor]) -> list[Outputs]:
    suppress = suppression_of(recorded)
    return [suppress(*of_image) for of_image in zip(outputs[0], outputs[1], strict=True)]


def _compare_raw(
    agreement: Agreement,
    expected: Outputs,
    got: Sequence[Tensor],
    recorded: Recorded,
    side: int,
    bound: Bound,
) -> None:
    is_seen = expected[2].amax(dim=-1) > recorded.score_thr
    ours, theirs = (boxes[is_seen].clamp(-side, 2 * side) for boxes in (expected[0], got[0]))
    if len(ours):
        box = (theirs - ours).abs().amax(dim=-1)
        allowed = bound.of_boxes((ours[:, 2:] - ours[:, :2]).amax(dim=-1))
        agreement.box = max(agreement.box, _largest(box))
        agreement.of_allowed = max(agreement.of_allowed, _largest(box / allowed))
    agreement.score = max(agreement.score, _largest(got[2] - expected[2]))
    for after, expected_after in zip(got[3:], expected[3:], strict=True):
        agreement.state = max(agreement.state, _largest(after - expected_after))


def _largest(difference: Tensor) -> float:
    """Of absolute values; what is no number is infinitely different."""
    return difference.abs().nan_to_num(nan=math.inf).max().item()


def _compare_detections(
    agreement: Agreement, expected: Sequence[Outputs], got: Sequence[Outputs]
) -> None:
    for ours, theirs in zip(expected, got, strict=True):
        # The same, but for the order in which numbers were added up
        near = torch.isclose(ours[0][:, None], theirs[0][None], rtol=1e-4, atol=1e-3).all(dim=-1)
        near &= torch.isclose(ours[1][:, None], theirs[1][None], rtol=0, atol=1e-5)
        near &= ours[2][:, None] == theirs[2][None]
        agreement.detections += len(ours[0])
        agreement.alike += int(near.any(dim=1).sum())
        agreement.surplus += int((~near.any(dim=0)).sum())
