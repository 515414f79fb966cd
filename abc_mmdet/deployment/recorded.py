"""What an exported file says about itself, and how its outputs become detections."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from torch import Tensor

from abc_mmdet.errors import UserError

from .suppression import Suppression

FORMAT = 2
_ADDED = ('state_shapes', 'step_ms', 'histogram')  # files of images without them are complete


@dataclass(frozen=True)
class Recorded:
    """The ``metadata_props`` of an exported file: per attribute one key, its value as JSON.

    Attributes:
        classes: names, by label.
        input: ``'images'`` or ``'events'`` (stacked histograms of a :class:`StreamingDetector`).
        size: width and height the graph is fixed to; None if both are free.
        multiples: height and width of an input are multiples of these.
        color: order of the input's channels, ``'bgr'`` or ``'rgb'``; None for events.
        to_float32: make floats of the image's bytes before that.
        transforms: what to do with an image first, in order, as in MMDetection's pipelines: resize
            (``scale`` is width, height; ``keep_ratio`` fits the image into it), pad.
        preprocessor: what comes after: ``mean`` and ``std`` per channel of the input's order (None:
            leave values in 0 to 255), padding at the bottom and the right with ``pad_value`` to
            multiples of ``pad_size_divisor``.
        strides: of the levels, in pixels.
        clips: boxes end at the border of their image, so there is an input ``image_sizes``: height
            and width of each without padding.
        score_thr, nms_pre, best_class_only: how the graph chooses candidates
            (:class:`~abc_mmdet.deployment.candidates.Candidates`).
        nms_iou_threshold, nms_class_agnostic, max_per_image: of the suppression
            (:class:`~abc_mmdet.deployment.suppression.Suppression`).
        nms_in_graph: False: it is still to be done.
        precision: ``'fp32'`` or ``'fp16'``; inputs and outputs are float32 in both.
        states: names of inputs that take what the outputs of the same name with ``_after`` gave
            for the step before, zeros at first.
        state_shapes: channels, height and width of each.
        step_ms: length of the step that the memory was trained for, in milliseconds, if it forgets
            by time: there is an input ``elapsed`` then, the length of this step as a multiple of
            it, ``(batch,)``. None: steps of any length count alike.
        histogram: of events: ``bins``, ``window_ms`` and ``downsample`` of the
            :class:`StackedHistogram` that the input is, padded with zeros at the right and the
            bottom to ``multiples``.
        format: of this record.
    """

    classes: list[str]
    input: str
    size: list[int] | None
    multiples: list[int]
    color: str | None
    to_float32: bool
    transforms: list[dict[str, Any]]
    preprocessor: dict[str, Any] | None
    strides: list[int]
    clips: bool
    score_thr: float
    nms_pre: int
    best_class_only: bool
    nms_iou_threshold: float
    nms_class_agnostic: bool
    max_per_image: int
    nms_in_graph: bool
    precision: str
    states: list[str]
    state_shapes: list[list[int]] = field(default_factory=list)
    step_ms: float | None = None
    histogram: dict[str, Any] | None = None
    format: int = FORMAT

    @property
    def inputs(self) -> list[str]:
        """Names of the inputs, in order."""
        given = dict(image_sizes=self.clips, elapsed=self.step_ms is not None)
        return ['images', *(name for name, is_there in given.items() if is_there), *self.states]

    def to_properties(self) -> dict[str, str]:
        """Key and value per attribute."""
        return {name: json.dumps(value) for name, value in asdict(self).items()}

    @classmethod
    def from_properties(cls, properties: Mapping[str, str], path: str) -> Recorded:
        """Read back.

        Raises:
            UserError: the file was not written by ``export_onnx.py``, or by one that writes
                another format.
        """
        names = [each.name for each in fields(cls)]
        needed = [name for name in names if name not in _ADDED]
        missing = [name for name in needed if name not in properties]
        if missing or json.loads(properties['format']) != FORMAT:
            raise UserError(
                f'{path} does not say how to use it (metadata_props lack '
                f'{", ".join(missing) or f"format {FORMAT}"}): write it with this version of '
                'tools/deployment/export_onnx.py.'
            )
        return cls(**{name: json.loads(properties[name]) for name in names if name in properties})


def detections_of(recorded: Recorded, outputs: list[Tensor]) -> tuple[Tensor, Tensor, Tensor]:
    """Boxes ``(K, 4)`` in pixels of the input, scores and labels of an image from its outputs."""
    if not recorded.nms_in_graph:
        return suppression_of(recorded)(outputs[0], outputs[1])
    boxes, scores, labels = outputs[:3]
    is_found = scores > 0
    return boxes[is_found], scores[is_found], labels[is_found]


def suppression_of(recorded: Recorded) -> Suppression:
    """What is still to be done, or what the graph does."""
    return Suppression(
        recorded.nms_iou_threshold, recorded.nms_class_agnostic, recorded.max_per_image
    )
