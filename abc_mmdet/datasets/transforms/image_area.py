"""Where an augmented image is image, and where it was filled up."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

SMALLEST = 3
"""Side of the smallest block of pixels of one colour that counts as filled up."""


def filled_area(
    image: np.ndarray, colour: float | Sequence[float] | None, was_padded: bool = False
) -> np.ndarray:
    """Pixels that hold no image, since a step before this one has filled them.

    ``Mosaic``, ``CachedMosaic``, ``MixUp`` and ``RandomAffine`` fill what lies outside of their
    images, so it reaches the border, and all of it is of one colour to the last digit. A pixel of
    an image that happens to have that colour is part of no such area.

    Args:
        image: ``(H, W, C)`` or ``(H, W)``.
        colour: what those steps fill with: one value for all channels, or one each; None for none.
        was_padded: ``Pad`` has been at work, which fills columns on the right and rows below with
            a colour of its own.

    Returns:
        bool ``(H, W)``.

    Example:
        >>> image = np.full((8, 9, 3), 114, np.uint8)
        >>> image[:, :5] = np.arange(3)
        >>> filled_area(image, 114)[0].tolist()
        [False, False, False, False, False, True, True, True, True]
    """
    channels = image if image.ndim == 3 else image[..., None]
    filled = np.zeros(channels.shape[:2], bool)
    if colour is not None:
        same = (channels == np.asarray(colour, channels.dtype)).all(-1).astype(np.uint8)
        block = np.ones((SMALLEST, SMALLEST), np.uint8)
        _, areas = cv2.connectedComponents(cv2.morphologyEx(same, cv2.MORPH_OPEN, block))
        border = np.concatenate([areas[0], areas[-1], areas[:, 0], areas[:, -1]])
        filled = np.isin(areas, np.setdiff1d(border, [0]))
    if was_padded:
        last = channels[-1, -1]
        filled[:, _start_of_tail((channels == last).all(axis=(0, 2))) :] = True
        filled[_start_of_tail((channels == last).all(axis=(1, 2))) :] = True
    return filled


def touches(bounds: np.ndarray, area: np.ndarray) -> np.ndarray:
    """``(N,)``: whether a pixel of each of ``(N, 4)`` rectangles, ends excluded, is in an area.

    Args:
        bounds: whole pixels, xyxy, inside the area's array.
        area: bool ``(H, W)``.
    """
    sums = cv2.integral(area.astype(np.uint8))
    x1, y1, x2, y2 = bounds.T
    return sums[y2, x2] - sums[y1, x2] - sums[y2, x1] + sums[y1, x1] > 0


def _start_of_tail(is_filled: np.ndarray) -> int:
    """Where the True values begin that reach to the end."""
    others = (~is_filled).nonzero()[0]
    return int(others[-1]) + 1 if len(others) else 0
