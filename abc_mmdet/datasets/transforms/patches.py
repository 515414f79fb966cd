"""What copy-paste works with: an object cut out of an image, and where an image is image."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import mmcv
import numpy as np


@dataclass(frozen=True)
class ObjectPatch:
    """Pixels of an object and its margin.

    Args:
        pixels: ``(h, w, C)`` or ``(h, w)``.
        box: ``(4,)`` the object's box in pixels of the patch, ``xyxy``.
        label: its class.
        row: the height of the box's centre in the image it was cut from, 0 (top) to 1.

    Examples:
        >>> image = np.arange(100.0).reshape(10, 10)
        >>> patch = ObjectPatch.cut(image, np.array([2, 3, 4, 6]), label=1, margin=1)
        >>> patch.pixels.shape, patch.box.tolist()
        ((5, 4), [1, 1, 3, 4])
    """

    pixels: np.ndarray
    box: np.ndarray
    label: int
    row: float

    @classmethod
    def cut(cls, image: np.ndarray, box: np.ndarray, label: int, margin: int) -> ObjectPatch:
        """Cut a box out of an image; the patch has to lie inside."""
        x1, y1, x2, y2 = patch_bounds(box[None], margin)[0]
        row = float(box[1] + box[3]) / 2 / image.shape[0]
        return cls(image[y1:y2, x1:x2], box - np.array([x1, y1, x1, y1]), label, row)

    def flipped(self) -> ObjectPatch:
        """Mirrored, left for right."""
        width = self.pixels.shape[1]
        x1, y1, x2, y2 = self.box
        box = np.array([width - x2, y1, width - x1, y2])
        return replace(self, pixels=self.pixels[:, ::-1], box=box)

    def scaled(self, factor: float) -> ObjectPatch:
        """Enlarged or reduced, to whole pixels."""
        height, width = self.pixels.shape[:2]
        size = max(1, round(width * factor)), max(1, round(height * factor))
        pixels = mmcv.imresize(np.ascontiguousarray(self.pixels), size)
        pixels = pixels.reshape(size[1], size[0], *self.pixels.shape[2:])
        factors = np.array([size[0] / width, size[1] / height])
        box = np.minimum(self.box * np.tile(factors, 2), np.tile(size, 2))  # against rounding
        return replace(self, pixels=pixels, box=box)

    def opacity(self, feather: bool) -> np.ndarray:
        """``(h, w)``: 1 on the object; with ``feather`` it fades to the edge of the patch."""
        height, width = self.pixels.shape[:2]
        if not feather:
            return np.ones((height, width), np.float32)
        x1, y1, x2, y2 = self.box
        return np.outer(_ramp(height, y1, y2), _ramp(width, x1, x2))

    def surroundings(self) -> np.ndarray:
        """``(h, w)``: whether a pixel is outside the box."""
        height, width = self.pixels.shape[:2]
        x1, y1, x2, y2 = patch_bounds(self.box[None], 0)[0]
        outside = np.ones((height, width), bool)
        outside[max(y1, 0) : y2, max(x1, 0) : x2] = False
        return outside

    def paste(self, image: np.ndarray, x: int, y: int, feather: bool) -> np.ndarray:
        """Put the patch with its top left corner at ``x, y``, in place.

        Returns:
            ``(4,)`` the object's box in the image, ``xyxy``.
        """
        height, width = self.pixels.shape[:2]
        below = image[y : y + height, x : x + width]
        opacity = self.opacity(feather).reshape(height, width, *[1] * (image.ndim - 2))
        blend = opacity * self.pixels + (1 - opacity) * below
        if np.issubdtype(image.dtype, np.integer):
            blend = np.rint(blend)
        below[...] = blend.astype(image.dtype)
        return self.box + np.array([x, y, x, y])


def patch_bounds(boxes: np.ndarray, margin: int) -> np.ndarray:
    """``(N, 4)`` whole pixels that patches of ``(N, 4)`` boxes cover; ends excluded."""
    low = np.floor(boxes[:, :2]) - margin
    high = np.ceil(boxes[:, 2:]) + margin
    return np.concatenate([low, high], axis=1).astype(int)


def overlapping(boxes: np.ndarray, others: np.ndarray) -> np.ndarray:
    """``(N, M)``: whether each of ``(N, 4)`` boxes shares area with each of ``(M, 4)``."""
    low = np.maximum(boxes[:, None, :2], others[None, :, :2])
    high = np.minimum(boxes[:, None, 2:], others[None, :, 2:])
    return (low < high).all(-1)


def _ramp(length: int, start: float, stop: float) -> np.ndarray:
    """Rises in equal steps from the edge to 1 at ``start`` and falls again from ``stop`` on."""
    before, after = int(np.floor(start)), length - int(np.ceil(stop))
    place = np.arange(length)
    rise, fall = (place + 1) / (before + 1), (length - place) / (after + 1)
    return np.minimum(np.minimum(rise, fall), 1).astype(np.float32)


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

    Examples:
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
