"""Detections on the image they were found in."""

from __future__ import annotations

import colorsys
from collections.abc import Sequence

import cv2
import numpy as np

_FONT = cv2.FONT_HERSHEY_SIMPLEX
_SIDE_OF_ONE_PIXEL = 900  # of an image whose lines are one pixel wide


def draw_detections(
    picture: np.ndarray,
    boxes: np.ndarray,
    scores: np.ndarray,
    labels: np.ndarray,
    classes: Sequence[str],
) -> np.ndarray:
    """A copy of an image with outlines, one colour per class, and class and score above each.

    Lines and letters grow with the image, so that they are seen when all of it is.

    Args:
        picture: uint8 ``(H, W, 3)``, blue, green, red.
        boxes: ``(N, 4)`` xyxy in pixels.
        scores, labels: ``(N,)``.
        classes: names, by label.

    Returns:
        uint8 ``(H, W, 3)``.
    """
    picture = picture.copy()
    height, width = picture.shape[:2]
    line = max(1, round(max(height, width) / _SIDE_OF_ONE_PIXEL))
    scale = 0.35 * line
    # The best last, on top of the others
    for i in np.argsort(scores, kind='stable').tolist():
        colour = class_colour(int(labels[i]), len(classes))
        x1, y1, x2, y2 = np.clip(boxes[i].round(), 0, [width - 1, height - 1] * 2).astype(int)
        cv2.rectangle(picture, (x1, y1), (x2, y2), colour, line)
        text = f'{classes[labels[i]]} {scores[i]:.2f}'
        (text_width, text_height), _ = cv2.getTextSize(text, _FONT, scale, line)
        x = max(0, min(int(x1), width - text_width))
        y = y1 - 2 * line if y1 > text_height + 2 * line else y2 + text_height + 2 * line
        for thickness, ink in ((3 * line, (0, 0, 0)), (line, colour)):
            cv2.putText(picture, text, (x, int(y)), _FONT, scale, ink, thickness, cv2.LINE_AA)
    return picture


def class_colour(label: int, number: int) -> tuple[int, int, int]:
    """Blue, green, red of a class: bright, and as far from the others as ``number`` allows."""
    red, green, blue = colorsys.hsv_to_rgb(0.08 + label / max(number, 1), 0.75, 1.0)
    return round(255 * blue), round(255 * green), round(255 * red)
