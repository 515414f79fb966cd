"""Where an image is cut, and which boxes no cut has gone through."""

from __future__ import annotations

import torch
from torch import Tensor

Rectangle = tuple[int, int, int, int]


def slice_grid(
    image_size: tuple[int, int], slice_size: tuple[int, int], overlap: float
) -> list[Rectangle]:
    """Slices that cover an image, row by row: ``x1, y1, x2, y2`` in pixels, ends excluded.

    All have the same size; the last of a row and of a column are moved back inside the image, so
    they overlap their neighbours by more. (SAHI cuts in the same places.) A side of the image
    that is shorter than the slice's is not cut.

    Args:
        image_size: width and height.
        slice_size: width and height.
        overlap: share of a slice's side that its neighbours see as well, 0 to below 1.
    """
    (width, height), (slice_width, slice_height) = image_size, slice_size
    return [
        (x, y, min(x + slice_width, width), min(y + slice_height, height))
        for y in _starts(height, slice_height, overlap)
        for x in _starts(width, slice_width, overlap)
    ]


def _starts(length: int, size: int, overlap: float) -> list[int]:
    last = max(length - size, 0)
    return [*range(0, last, size - int(overlap * size)), last]


def seen_whole(boxes: Tensor, slices: Tensor, image_size: Tensor, margin: Tensor) -> Tensor:
    """``(N, K)`` whether a slice sees all of a box: it reaches no inner border of the slice.

    Borders of the image are not inner borders: what goes beyond them is cut in any view.

    Args:
        boxes: ``(N, 4)``, ``xyxy``, in the frame of the image.
        slices: ``(K, 4)``, in the same frame.
        image_size: ``(2,)`` width and height.
        margin: ``(2,)`` how near to a border a box reaches it, across and down.
    """
    low = torch.where(slices[:, :2] <= 0, -torch.inf, slices[:, :2] + margin)
    high = torch.where(slices[:, 2:] >= image_size, torch.inf, slices[:, 2:] - margin)
    return (boxes[:, None, :2] >= low).all(-1) & (boxes[:, None, 2:] <= high).all(-1)
