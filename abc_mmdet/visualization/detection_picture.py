"""Detections on the image they were found in."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .class_colours import class_colour
from .label_text import readable_names
from .labelled_boxes import draw_boxes


def draw_detections(
    picture: np.ndarray,
    boxes: np.ndarray,
    scores: np.ndarray | None,
    labels: np.ndarray,
    classes: Sequence[str],
) -> np.ndarray:
    """A copy of an image with outlines, one colour per class, and class and score beside each.

    Args:
        picture: uint8 ``(H, W, 3)``, blue, green, red.
        boxes: ``(N, 4)`` xyxy in pixels.
        scores: ``(N,)``; None for ground truth, which has none.
        labels: ``(N,)``.
        classes: names, by label.

    Returns:
        uint8 ``(H, W, 3)``.
    """
    picture = np.ascontiguousarray(picture).copy()
    names = readable_names(classes)
    labels, boxes = np.asarray(labels, int), np.asarray(boxes, float).reshape(-1, 4)
    scores = None if scores is None else np.asarray(scores)
    # The best on top of the others, and first to choose a place for its label
    order = range(len(labels)) if scores is None else np.argsort(-scores, kind='stable').tolist()
    captions = [names[labels[i]] + ('' if scores is None else f' {scores[i]:.2f}') for i in order]
    colours = [class_colour(int(labels[i]), len(classes)) for i in order]
    draw_boxes(picture, boxes[list(order)], captions, colours)
    return picture
