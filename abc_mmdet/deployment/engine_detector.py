"""An exported graph in the place of a detector of MMDetection."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from mmengine.structures import InstanceData
from torch import Tensor
from torch.nn.functional import pad

from abc_mmdet.errors import UserError
from mmdet.models.detectors import BaseDetector
from mmdet.structures import DetDataSample

from .engines import Feed, Run
from .recorded import Recorded, detections_of


class EngineDetector(BaseDetector):
    """Whatever runs the graph, with the ``predict`` of a detector.

    So what is written for detectors takes it: :class:`SlicedDetector` cuts images into slices,
    batches them and merges what is found, as it does around a network in PyTorch, and MMEngine's
    evaluators get its results.

    Args:
        run: from ``images`` (and ``image_sizes``) to the graph's outputs.
        recorded: what the file says about itself.
        pads: inputs smaller than a fixed size are padded to it; otherwise they are refused.
    """

    def __init__(self, run: Run, recorded: Recorded, pads: bool = False) -> None:
        preprocessor = dict(type='DetDataPreprocessor', **(recorded.preprocessor or {}))
        super().__init__(data_preprocessor=preprocessor)
        self.run = run
        self.recorded = recorded
        self.pads = pads

    def feed(self, inputs: Tensor, data_samples: list[DetDataSample] | None = None) -> Feed:
        """What the graph takes for ``(B, C, H, W)``, preprocessed.

        Raises:
            UserError: another size than the one that the graph is fixed to.
        """
        shape = tuple(inputs.shape[:1:-1])
        fixed = self.recorded.size
        if fixed and self.pads and shape[0] <= fixed[0] and shape[1] <= fixed[1]:
            value = (self.recorded.preprocessor or {}).get('pad_value', 0)
            room = (0, fixed[0] - shape[0], 0, fixed[1] - shape[1])
            inputs = pad(inputs, room, value=value)
        elif fixed and shape != tuple(fixed):
            raise UserError(
                f'this ONNX model takes inputs of {fixed} (width, height), and '
                f'{"a slice" if self.pads else "an image"} became one of {shape}: '
                'export it without a fixed size.'
            )
        feed = {'images': np.ascontiguousarray(inputs.numpy())}
        if self.recorded.clips:
            sizes = [sample.img_shape[:2] for sample in data_samples or ()]
            feed['image_sizes'] = np.array(sizes or [shape[::-1]] * len(inputs), np.float32)
        return feed

    def _forward(
        self, batch_inputs: Tensor, batch_data_samples: list[DetDataSample] | None = None
    ) -> list[Tensor]:
        """The graph's outputs for ``(B, C, H, W)``, preprocessed; errors as :meth:`feed`."""
        outputs = self.run(self.feed(batch_inputs, batch_data_samples))
        return [torch.from_numpy(output) for output in outputs]

    def predict(
        self, batch_inputs: Tensor, batch_data_samples: list[DetDataSample], rescale: bool = True
    ) -> list[DetDataSample]:
        """Detections, in pixels of the image files, or of the input without ``rescale``."""
        outputs = self._forward(batch_inputs, batch_data_samples)
        found = self.found(outputs, batch_data_samples, rescale)
        return self.add_pred_to_datasample(batch_data_samples, found)

    def found(
        self, outputs: list[Tensor], samples: list[DetDataSample], rescale: bool
    ) -> list[InstanceData]:
        """The graph's outputs as detections, per image."""
        found = []
        for image, sample in enumerate(samples):
            boxes, scores, labels = detections_of(self.recorded, [t[image] for t in outputs])
            if rescale:
                boxes = boxes / boxes.new_tensor(sample.scale_factor).repeat(2)
            found.append(InstanceData(bboxes=boxes, scores=scores, labels=labels))
        return found

    def loss(self, *inputs: Any, **others: Any) -> dict:
        """Refused.

        Raises:
            UserError: always; a graph is not trained.
        """
        raise UserError('an exported graph detects; it is trained as the checkpoint it came from.')

    def extract_feat(self, batch_inputs: Tensor) -> Any:
        """Refused.

        Raises:
            UserError: always; a graph gives detections alone.
        """
        raise UserError('an exported graph gives detections, not features.')
