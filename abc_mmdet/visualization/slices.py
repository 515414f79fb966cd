"""Where an image is cut."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

_SLICE = (255, 200, 0)  # blue, green, red


def draw_slices(image: np.ndarray, slices: Sequence[Sequence[float]]) -> np.ndarray:
    """A copy of an image with its slices, in blue.

    Args:
        image: uint8 ``(H, W, 3)``, blue, green, red.
        slices: ``x1, y1, x2, y2`` each, in pixels of the image, ends excluded.
    """
    image = image.copy()
    for part in slices:
        x1, y1, x2, y2 = (round(side) for side in part)
        cv2.rectangle(image, (x1, y1), (x2 - 1, y2 - 1), _SLICE, 1)
    return image
