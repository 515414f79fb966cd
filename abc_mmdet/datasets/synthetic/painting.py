"""Filling outlines, with pixels at the edge covered in part."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from .solids import Patch

_BITS = 4  # of a coordinate behind the point, in OpenCV's drawing
_LARGE = 64  # pixels


def paint(image: np.ndarray, patches: Sequence[Patch], opacity: float = 1.0) -> None:
    """Paints patches in order, in place; all of them together let ``1 - opacity`` through."""
    corner, area = _window(np.concatenate([patch.outline for patch in patches]), image)
    if area.size == 0:
        return
    # OpenCV's own soft edges make everything a pixel wider, so edges come from drawing in parts of
    # a pixel: a quarter where it matters, half for what is large.
    fine = 4 if min(area.shape[:2]) < _LARGE else 2
    canvas = cv2.resize(area, None, fx=fine, fy=fine, interpolation=cv2.INTER_NEAREST)
    for patch in patches:
        fill(canvas, (patch.outline - corner + 0.5) * fine - 0.5, patch.colour)
    above = shrink(canvas, fine)
    area[:] = above if opacity >= 1 else cv2.addWeighted(above, opacity, area, 1 - opacity, 0)


def shrink(canvas: np.ndarray, fine: int) -> np.ndarray:
    """The mean of each ``fine`` x ``fine`` pixels."""
    size = canvas.shape[1] // fine, canvas.shape[0] // fine
    return cv2.resize(canvas, size, interpolation=cv2.INTER_AREA)


def fill(image: np.ndarray, outline: np.ndarray, colour: tuple[float, ...] | int) -> None:
    """Fills a polygon (N, 2) with hard edges, in place."""
    corners = np.round(outline * (1 << _BITS)).astype(np.int32)
    cv2.fillPoly(image, [corners], colour, cv2.LINE_8, _BITS)


def blend(image: np.ndarray, other: np.ndarray, outline: np.ndarray, opacity: float) -> None:
    """Inside the polygon (N, 2) ``image`` becomes ``other``, in place."""
    corner, area = _window(outline, image)
    if area.size == 0:
        return
    mask = np.zeros(area.shape[:2], np.uint8)
    paint(mask, [Patch(outline - corner, (255 * opacity,))])
    _, there = _window(outline, other)
    weight = mask[..., None] * np.float32(1 / 255)
    area[:] = np.round(area + (there.astype(np.float32) - area) * weight)


def silhouette(patches: Sequence[Patch], size: tuple[int, int]) -> np.ndarray:
    """Pixels covered by any patch, uint8 0 or 1, (H, W), with hard edges."""
    mask = np.zeros((size[1], size[0]), np.uint8)
    for patch in patches:
        fill(mask, patch.outline, 1)
    return mask


def _window(outline: np.ndarray, image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The part of the image around an outline: its top-left corner (x, y) and a view of it."""
    limit = np.array(image.shape[1::-1])
    low = np.clip(np.floor(outline.min(0)).astype(int) - 1, 0, limit)
    high = np.clip(np.ceil(outline.max(0)).astype(int) + 2, 0, limit)
    return low, image[low[1] : high[1], low[0] : high[0]]
