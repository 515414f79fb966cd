"""Small places of images, to be shown large."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np

from abc_mmdet.errors import UserError
from abc_mmdet.inference import images

LEAST_SIDE = 48
"""Pixels of the image that a crop shows at least, so that one sees where the object is."""

CONTEXT = 3.0
"""Side of a crop over the longer side of its box."""

MOST_PIXELS = 320
"""Side of the embedded image; larger crops are shrunk."""

_LOSSLESS_UP_TO = 128  # pixels; in a crop this small one would see the blocks of JPEG


@dataclass(frozen=True)
class Rectangle:
    """A box in a crop, in shares of its side. ``kind``: ``truth`` or ``found``."""

    x: float
    y: float
    width: float
    height: float
    kind: str
    is_target: bool


@dataclass(frozen=True)
class Crop:
    """A square of an image as a data URI, with the boxes in it."""

    uri: str
    rectangles: list[Rectangle]


@lru_cache(maxsize=4)
def read_image(path: Path) -> np.ndarray:
    """As :func:`abc_mmdet.inference.images.read_image`, but the last few are remembered.

    Raises:
        UserError: no such file, or none that can be read.
    """
    if not path.is_file():
        raise UserError(
            f'There is no image {path}; its name comes from the annotation file and the data '
            'set of test_dataloader. --gallery 0 makes a report without images.'
        )
    return images.read_image(path)


def crop(
    image: np.ndarray,
    box: Sequence[float],
    truth: Sequence[Sequence[float]],
    found: Sequence[Sequence[float]],
    is_truth: bool,
) -> Crop:
    """A square around a box, moved into the image where it would reach beyond it.

    Args:
        image: ``(H, W, 3)``.
        box: x, y, w, h of what is to be seen; marked as the target.
        truth, found: all boxes of the ground truth and all detections of the image, the target
            among one of them.
        is_truth: whether the target is of the ground truth.
    """
    height, width = image.shape[:2]
    side = round(max(LEAST_SIDE, CONTEXT * max(box[2], box[3])))
    side = max(1, min(side, height, width))
    left = _start(box[0] + box[2] / 2, side, width)
    top = _start(box[1] + box[3] / 2, side, height)
    rectangles = []
    for kind, boxes in (('truth', truth), ('found', found)):
        for other in boxes:
            x, y, w, h = other
            if left < x + w and x < left + side and top < y + h and y < top + side:
                is_target = (kind == 'truth') == is_truth and list(other) == list(box)
                corner = ((x - left) / side, (y - top) / side)
                rectangles.append(Rectangle(*corner, w / side, h / side, kind, is_target))
    rectangles.sort(key=lambda r: r.is_target)  # drawn last, above the others
    return Crop(_data_uri(image[top : top + side, left : left + side]), rectangles)


def _start(centre: float, side: int, length: int) -> int:
    return int(np.clip(round(centre - side / 2), 0, length - side))


def _data_uri(pixels: np.ndarray) -> str:
    side = len(pixels)
    if side > MOST_PIXELS:
        pixels = cv2.resize(pixels, (MOST_PIXELS, MOST_PIXELS), interpolation=cv2.INTER_AREA)
    if side <= _LOSSLESS_UP_TO:
        kind, (_, content) = 'png', cv2.imencode('.png', pixels, [cv2.IMWRITE_PNG_COMPRESSION, 9])
    else:
        kind, (_, content) = 'jpeg', cv2.imencode('.jpg', pixels, [cv2.IMWRITE_JPEG_QUALITY, 85])
    return f'data:image/{kind};base64,' + base64.b64encode(content.tobytes()).decode()
