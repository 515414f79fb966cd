"""An exported detector on images."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from mmengine.structures import InstanceData
from torch import Tensor

from abc_mmdet.apis.picture_detector import PictureDetector
from abc_mmdet.deployment.recorded import Recorded
from abc_mmdet.deployment.runtime import open_session
from abc_mmdet.deployment.suppression import Suppression
from abc_mmdet.errors import UserError
from mmdet.registry import MODELS


class OnnxDetector(PictureDetector):
    """A file of ``tools/deployment/export_onnx.py`` as a function from pictures to detections.

    Neither config nor checkpoint is needed: preprocessing, class names and thresholds stand in the
    file. Used as :class:`abc_mmdet.apis.Detector`.

    Args:
        path: the file.
        device: ``'cpu'`` or ``'cuda'``.
        batch_size: pictures of one size that go through the network together.

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
