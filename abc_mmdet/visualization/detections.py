"""Detections on the image they were found in; MMDetection's visualizer that draws them so."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from mmengine.structures import InstanceData

from mmdet.registry import VISUALIZERS
from mmdet.visualization import DetLocalVisualizer

from .boxes import draw_boxes
from .labels import class_colour, readable_names


def draw_detections(
    image: np.ndarray,
    boxes: np.ndarray,
    scores: np.ndarray | None,
    labels: np.ndarray,
    classes: Sequence[str],
) -> np.ndarray:
    """A copy of an image with outlines, one colour per class, and class and score beside each.

    Args:
        image: uint8 ``(H, W, 3)``, blue, green, red.
        boxes: ``(N, 4)`` xyxy in pixels.
        scores: ``(N,)``; None for ground truth, which has none.
        labels: ``(N,)``.
        classes: names, by label.

    Returns:
        uint8 ``(H, W, 3)``.
    """
    image = np.ascontiguousarray(image).copy()
    names = readable_names(classes)
    labels, boxes = np.asarray(labels, int), np.asarray(boxes, float).reshape(-1, 4)
    scores = None if scores is None else np.asarray(scores)
    # The best on top of the others, and first to choose a place for its label
    order = range(len(labels)) if scores is None else np.argsort(-scores, kind='stable').tolist()
    captions = [names[labels[i]] + ('' if scores is None else f' {scores[i]:.2f}') for i in order]
    colours = [class_colour(int(labels[i]), len(classes)) for i in order]
    draw_boxes(image, boxes[list(order)], captions, colours)
    return image


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
