"""Boxes and categories that are numbered in another way than COCO's."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from abc_mmdet.datasets.annotations.coco_file import BoxTable, CocoFile
from abc_mmdet.datasets.annotations.finding import PROBLEM, WARNING, Finding, several

FEWEST = 5
"""Boxes; fewer can look like anything."""

_TOLERANCE = 1.0  # pixels, as some tools count the last one and others do not
_LARGE_IMAGE = 200  # in such an image boxes reach beyond 100 pixels


def check_reading(file: CocoFile) -> Iterator[Finding]:
    """Say where the numbers of a file fit another meaning, and not COCO's.

    A box is x, y, width and height in pixels, an area that of the object, a ``category_id`` the
    ``id`` of a category. Other tools write two corners, centre and size, percentages, or count
    classes from 0; training then learns other boxes or classes without a word.
    """
    yield from _other_boxes(file)
    yield from _shifted_categories(file)
    yield from _wrong_areas(file)


def _other_boxes(file: CocoFile) -> Iterator[Finding]:
    boxes = file.boxes
    placed = boxes.image >= 0
    if placed.sum() < FEWEST:
        return
    size, low, last = boxes.image_size[placed], boxes.xyxy[placed, :2], boxes.sides[placed]
    over = (low + last - size > _TOLERANCE).any(1)
    example = [file.describe(int(np.flatnonzero(placed)[over.argmax() if over.any() else 0]))]
    number = int(placed.sum())
    if _are_corners(boxes, placed, over):
        yield Finding(
            'corner_boxes',
            PROBLEM,
            file.path,
            'boxes are two corners, x1, y1, x2, y2, as it seems: the second pair always lies '
            'beyond the first one and in the image. A box of COCO is x, y, width, height: write '
            '[x1, y1, x2 - x1, y2 - y1]',
            number,
            example,
        )
    elif over.sum() >= FEWEST and _inside(low - last / 2, low + last / 2, size):
        yield Finding(
            'centre_boxes',
            WARNING,
            file.path,
            'boxes are centre and size, as it seems: so all of them lie in their images, but not '
            'as x, y, width, height, as which they are taken. If that is so, write [cx - w / 2, '
            'cy - h / 2, w, h]',
            number,
            example,
        )
    elif (
        number >= 4 * FEWEST
        and size.min() > _LARGE_IMAGE
        and 50 < (low + last).max() <= 100 + _TOLERANCE
        and low.min() >= 0
    ):
        yield Finding(
            'percent_boxes',
            WARNING,
            file.path,
            'boxes all lie in the first 100 pixels of their images, each way: are they percentages '
            'of width and height? They are taken as pixels',
            number,
            example,
        )


def _are_corners(boxes: BoxTable, placed: np.ndarray, over: np.ndarray) -> bool:
    """Whether boxes can be x1, y1, x2, y2 and not x, y, width, height."""
    size, first, second = boxes.image_size[placed], boxes.xyxy[placed, :2], boxes.sides[placed]
    if not ((second > first).all() and _inside(first, second, size)):
        return False
    area, as_corners = boxes.area[placed], (second - first).prod(1)
    by_area = np.isclose(area, as_corners, rtol=0.01) & ~np.isclose(area, second.prod(1), rtol=0.01)
    # Of large objects the width is always above x, and few of them reach over the border
    spread = np.median((first / size).max(1)) > 0.2
    return bool(by_area.mean() > 0.9 or (over.mean() > 0.25 and spread))


def _inside(low: np.ndarray, high: np.ndarray, size: np.ndarray) -> bool:
    return bool((low >= -_TOLERANCE).all() and (high <= size + _TOLERANCE).all())


def _shifted_categories(file: CocoFile) -> Iterator[Finding]:
    known = {category['id'] for category in file.categories}
    used = {annotation['category_id'] for annotation in file.annotations}
    numbers: set[Any] = known | used
    if used <= known or any(isinstance(number, str) for number in numbers):
        return
    from_0 = 0 not in known and {number + 1 for number in used} <= known
    from_1 = 0 in known and {number - 1 for number in used} == known
    if from_0 or from_1:
        first = ('0', '1') if from_0 else ('1', '0')
        yield Finding(
            'shifted_categories',
            PROBLEM,
            file.path,
            'boxes number the categories from {}, the list of categories from {}: every class '
            'would be learnt from the boxes of another one. Number both alike'.format(*first),
            len(file.annotations),
            [f'category_id {sorted(used)}, categories {sorted(known)}'],
        )


def _wrong_areas(file: CocoFile) -> Iterator[Finding]:
    boxes = file.boxes
    real = boxes.used
    what = 'the evaluation sorts objects by it into sizes. Write the area in pixels, width x height'
    # Some tools count a pixel more each way
    too_large = real & (boxes.area > (boxes.sides + 2 * _TOLERANCE).prod(1))
    yield from several(
        'area_too_large',
        PROBLEM,
        file.path,
        f'boxes whose area is larger than width x height; {what}',
        (
            f'{file.describe(row)}, area {file.annotations[row]["area"]}'
            for row in np.flatnonzero(too_large)
        ),
    )
    areas, own = boxes.area[real], boxes.sides[real].prod(1)
    if len(areas) >= FEWEST and np.ptp(areas) == 0 and np.ptp(own) > 0 and not too_large.any():
        message = f'boxes of different sizes all have the area {areas[0]:g}; {what}'
        yield Finding('one_area', PROBLEM, file.path, message, len(areas))
