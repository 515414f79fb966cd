"""The pictures of tools/test.py, drawn as those of tools/infer.py are."""

from __future__ import annotations

from typing import Any

import numpy as np
from mmengine.structures import InstanceData

from mmdet.registry import VISUALIZERS
from mmdet.visualization import DetLocalVisualizer

from .detection_picture import draw_detections


@VISUALIZERS.register_module()
class DetectionVisualizer(DetLocalVisualizer):
    """:class:`DetLocalVisualizer` that draws boxes by :func:`draw_detections`.

    MMDetection's draws with matplotlib: a box that reaches beyond the image moves and shrinks the
    image itself, labels cover what they name, and letters other than Latin ones become squares.
    Masks are drawn as there.
    """

    def _draw_instances(
        self, image: np.ndarray, instances: InstanceData, classes: Any, palette: Any
    ) -> np.ndarray:
        if 'bboxes' not in instances or 'masks' in instances:
            return super()._draw_instances(image, instances, classes, palette)
        boxes = instances.bboxes
        boxes = boxes.tensor if hasattr(boxes, 'tensor') else boxes
        labels = instances.labels.numpy()
        names = classes or [f'class {i}' for i in range(int(labels.max(initial=0)) + 1)]
        drawn = draw_detections(
            image[..., ::-1],
            boxes.numpy(),
            instances.scores.numpy() if 'scores' in instances else None,
            labels,
            names,
        )
        return np.ascontiguousarray(drawn[..., ::-1])
