"""Where an image is cut, and the way of a slice through a network and of its detections back."""

from __future__ import annotations

from typing import NamedTuple

import torch
from mmengine.structures import InstanceData
from torch import Tensor
from torch.nn.functional import interpolate

from mmdet.structures import DetDataSample

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


class View(NamedTuple):
    """A part of an image that goes through the network.

    Where a ``scale`` is asked for, it is pixels of the batch per pixel of the image's results,
    across and down.

    Attributes:
        image: its place in the batch.
        part: ``x1, y1, x2, y2`` in pixels of the batch.
        size: width and height that the part is resized to.
        room: width and height that it is padded to, so that views can be stacked.

    Examples:
        >>> View(image=0, part=(0, 0, 320, 240), size=(640, 480), room=(640, 640)).scale
        (2.0, 2.0)
    """

    image: int
    part: Rectangle
    size: tuple[int, int]
    room: tuple[int, int]

    @property
    def scale(self) -> tuple[float, float]:
        """By how much it is resized, across and down."""
        x1, y1, x2, y2 = self.part
        return self.size[0] / (x2 - x1), self.size[1] / (y2 - y1)

    def cut(self, batch: Tensor, shape: tuple[int, int], pad_value: float) -> Tensor:
        """``(C, *shape)``: the part of the image, resized and padded as the preprocessor does."""
        x1, y1, x2, y2 = self.part
        part = batch[self.image, :, y1:y2, x1:x2]
        width, height = self.size
        if (width, height) != (x2 - x1, y2 - y1):
            size = height, width
            part = interpolate(part[None], size, mode='bilinear', antialias=True)[0]
        if (height, width) == shape:
            return part
        padded = part.new_full((len(part), *shape), pad_value)
        padded[:, :height, :width] = part
        return padded

    def sample(self, scale: tuple[float, float], shape: tuple[int, int]) -> DetDataSample:
        """What a head asks to know about its input, which has this ``shape``."""
        size = self.size[1], self.size[0]
        factor = scale[0] * self.scale[0], scale[1] * self.scale[1]
        return DetDataSample(
            metainfo=dict(
                img_shape=size,
                ori_shape=(round(size[0] / factor[1]), round(size[1] / factor[0])),
                pad_shape=shape,
                batch_input_shape=shape,
                scale_factor=factor,
            )
        )

    def in_image(self, predictions: InstanceData, scale: tuple[float, float]) -> InstanceData:
        """Detections with their boxes in the frame of the image."""
        x, y = self.part[0] / scale[0], self.part[1] / scale[1]
        if x or y:
            predictions.bboxes = predictions.bboxes + predictions.bboxes.new_tensor([x, y, x, y])
        return predictions
