"""Boxes cut at the border of their image."""

from __future__ import annotations

import numpy as np


def cut_to_image(boxes: np.ndarray, size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Detections as they can be true: nothing of an object is seen outside its image.

    Networks look at padded images, and say boxes that reach over the border or lie in the padding.

    Args:
        boxes: ``(N, 4)``, xyxy in pixels of the image.
        size: its width and height.

    Returns:
        The boxes cut at the border, ``(N, 4)``, and ``(N,)`` which of them have an area left.
    """
    width, height = size
    cut = boxes.clip(0, np.array([width, height, width, height], boxes.dtype))
    return cut, (cut[:, 2] > cut[:, 0]) & (cut[:, 3] > cut[:, 1])
