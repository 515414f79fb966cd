"""An exported detector on images: runtime, what the file says about itself, detections."""

from __future__ import annotations

import importlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import torch
from mmengine.structures import InstanceData
from torch import Tensor

from abc_mmdet.errors import UserError
from abc_mmdet.inference.detector import ImageDetector
from mmdet.registry import MODELS

from .suppression import Suppression


def need(*names: str) -> list[ModuleType]:
    """Import optional packages.

    Raises:
        UserError: one is not installed.
    """
    try:
        return [importlib.import_module(name) for name in names]
    except ImportError as error:
        raise UserError(
            f'ONNX needs packages that are not installed here ({error}): '
            "pip install 'abc_mmdet[onnx]', that is onnx, onnxruntime and onnxscript."
        ) from error


def open_session(model: str | bytes, device: str = 'cpu') -> Any:
    """An ONNX Runtime session of a file or its content.

    Raises:
        UserError: onnxruntime is missing, cannot read it, or has no such device.
    """
    (runtime,) = need('onnxruntime')
    options = runtime.SessionOptions()
    options.log_severity_level = 3  # its warnings are about what exporters leave behind
    options.intra_op_num_threads = torch.get_num_threads()
    providers = ['CPUExecutionProvider']
    if device.startswith('cuda'):
        if 'CUDAExecutionProvider' not in runtime.get_available_providers():
            raise UserError(
                f'device {device}: this onnxruntime knows no CUDA; pip install onnxruntime-gpu.'
            )
        providers.insert(0, 'CUDAExecutionProvider')
    name = model if isinstance(model, str) else 'the exported model'
    if isinstance(model, str) and not Path(model).is_file():
        raise UserError(f'there is no file {model}; tools/deployment/export_onnx.py writes them.')
    try:
        return runtime.InferenceSession(model, options, providers=providers)
    except Exception as error:  # its exceptions have no class of their own in common
        text = str(error).splitlines()[0]
        raise UserError(f'onnxruntime cannot open {name}: {text}') from error


FORMAT = 2


@dataclass(frozen=True)
class Recorded:
    """The ``metadata_props`` of an exported file: per attribute one key, its value as JSON.

    Attributes:
        classes: names, by label.
        input: ``'images'`` or ``'events'`` (stacked histograms of MaxViTRNN).
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
    format: int = FORMAT

    @property
    def inputs(self) -> list[str]:
        """Names of the inputs, in order."""
        return ['images', *(['image_sizes'] if self.clips else []), *self.states]

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
        names = [field.name for field in fields(cls)]
        missing = [name for name in names if name not in properties]
        if missing or json.loads(properties['format']) != FORMAT:
            raise UserError(
                f'{path} does not say how to use it (metadata_props lack '
                f'{", ".join(missing) or f"format {FORMAT}"}): write it with this version of '
                'tools/deployment/export_onnx.py.'
            )
        return cls(**{name: json.loads(properties[name]) for name in names})


class OnnxDetector(ImageDetector):
    """A file of ``tools/deployment/export_onnx.py`` as a function from images to detections.

    Neither config nor checkpoint is needed: preprocessing, class names and thresholds stand in the
    file. Used as :class:`abc_mmdet.apis.Detector`.

    Args:
        path: the file.
        device: ``'cpu'`` or ``'cuda'``.
        batch_size: images of one size that go through the network together.

    Raises:
        UserError: onnxruntime is missing, the file cannot be read, was not written by that tool,
            or is of a detector of events.
    """

    def __init__(self, path: str, device: str = 'cpu', batch_size: int = 1) -> None:
        if not device.startswith(('cpu', 'cuda')):
            raise UserError(f'device {device}: an ONNX model runs on cpu or cuda.')
        self.session = open_session(path, device)
        properties = self.session.get_modelmeta().custom_metadata_map
        self.recorded = Recorded.from_properties(properties, path)
        if self.recorded.input != 'images':
            raise UserError(
                f'{path} is a detector of events, not of images: feed it in a program of yours, as '
                'docs/deploy.md says.'
            )
        transforms = [
            dict(type='mmdet.LoadImageFromNDArray', to_float32=self.recorded.to_float32),
            *map(_with_tuples, self.recorded.transforms),
            dict(type='mmdet.PackDetInputs', meta_keys=('scale_factor', 'ori_shape', 'img_shape')),
        ]
        super().__init__(transforms, self.recorded.classes, batch_size)
        self._preprocessor = MODELS.build(
            dict(type='DetDataPreprocessor', **(self.recorded.preprocessor or {}))
        )

    def _predict(self, batch: dict[str, Any]) -> list[InstanceData]:
        data = self._preprocessor(batch)
        shape = tuple(data['inputs'].shape[:1:-1])
        if self.recorded.size and shape != tuple(self.recorded.size):
            raise UserError(
                f'this ONNX model takes inputs of {self.recorded.size} (width, height), and an '
                f'image became one of {shape}: export it without a fixed size.'
            )
        feed = {'images': data['inputs'].numpy()}
        if self.recorded.clips:
            sizes = [sample.img_shape[:2] for sample in data['data_samples']]
            feed['image_sizes'] = np.array(sizes, np.float32)
        outputs = self.session.run(None, feed)
        tensors = [torch.from_numpy(output) for output in outputs]
        found = []
        for image, sample in enumerate(data['data_samples']):
            boxes, scores, labels = detections_of(self.recorded, [t[image] for t in tensors])
            scale = boxes.new_tensor(sample.scale_factor).repeat(2)
            found.append(InstanceData(bboxes=boxes / scale, scores=scores, labels=labels))
        return found


def _with_tuples(value: Any) -> Any:
    """What was a tuple before it was JSON; MMDetection insists on it."""
    if isinstance(value, dict):
        return {key: _with_tuples(item) for key, item in value.items()}
    return tuple(map(_with_tuples, value)) if isinstance(value, list) else value


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
