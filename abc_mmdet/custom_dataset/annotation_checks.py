"""Checks of one annotation file: entries, geometry, duplicates, how its numbers are meant."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Protocol

import numpy as np

from abc_mmdet.datasets.annotations.checks import (
    NOTE,
    PROBLEM,
    WARNING,
    Issue,
    check_entries,
    given_twice,
    several,
)
from abc_mmdet.datasets.annotations.coco_file import BoxTable, CocoFile

from .usable_boxes import check_ignored

FEWEST = 5
"""Boxes; fewer can look like anything."""

_TOLERANCE = 1.0  # pixels, as some tools count the last one and others do not
_LARGE_IMAGE = 200  # in such an image boxes reach beyond 100 pixels


def check_reading(file: CocoFile) -> Iterator[Issue]:
    """Say where the numbers of a file fit another meaning, and not COCO's.

    A box is x, y, width and height in pixels, an area that of the object, a ``category_id`` the
    ``id`` of a category. Other tools write two corners, centre and size, percentages, or count
    classes from 0; training then learns other boxes or classes without a word.
    """
    yield from _other_boxes(file)
    yield from _shifted_categories(file)
    yield from _wrong_areas(file)


def _other_boxes(file: CocoFile) -> Iterator[Issue]:
    boxes = file.boxes
    placed = boxes.image >= 0
    if placed.sum() < FEWEST:
        return
    size, low, last = boxes.image_size[placed], boxes.xyxy[placed, :2], boxes.sides[placed]
    over = (low + last - size > _TOLERANCE).any(1)
    example = [file.describe(int(np.flatnonzero(placed)[over.argmax() if over.any() else 0]))]
    number = int(placed.sum())
    if _are_corners(boxes, placed, over):
        yield Issue(
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
        yield Issue(
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
        yield Issue(
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


def _shifted_categories(file: CocoFile) -> Iterator[Issue]:
    known = {category['id'] for category in file.categories}
    used = {annotation['category_id'] for annotation in file.annotations}
    numbers: set[Any] = known | used
    if used <= known or any(isinstance(number, str) for number in numbers):
        return
    from_0 = 0 not in known and {number + 1 for number in used} <= known
    from_1 = 0 in known and {number - 1 for number in used} == known
    if from_0 or from_1:
        first = ('0', '1') if from_0 else ('1', '0')
        yield Issue(
            'shifted_categories',
            PROBLEM,
            file.path,
            'boxes number the categories from {}, the list of categories from {}: every class '
            'would be learnt from the boxes of another one. Number both alike'.format(*first),
            len(file.annotations),
            [f'category_id {sorted(used)}, categories {sorted(known)}'],
        )


def _wrong_areas(file: CocoFile) -> Iterator[Issue]:
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
        yield Issue('one_area', PROBLEM, file.path, message, len(areas))


class Labels(Protocol):
    """Boxes, wherever they were read from."""

    @property
    def path(self) -> str:
        """Of the file or folder they are in."""

    @property
    def boxes(self) -> BoxTable:
        """All of them."""

    def describe(self, row: int) -> str:
        """One of them, as a person would look it up."""


BORDER = 1.0
"""Pixels by which a box may reach over the border of its image before anything is said."""


def check_annotations(file: CocoFile) -> Iterator[Issue]:
    """Everything that is wrong with the entries of a file, whatever the config."""
    yield from check_entries(file)
    yield from given_twice(
        file, 'file names', 'images', 'file_name', 'boxes of one entry are background in the other'
    )
    yield from _references(file)
    yield from check_geometry(file)
    yield from check_reading(file)
    yield from check_duplicates(file)
    yield from check_ignored(file)
    yield from _empty_images(file)


def _references(file: CocoFile) -> Iterator[Issue]:
    for what, places in (('image', file.boxes.image), ('category', file.boxes.category)):
        yield from several(
            f'unknown_{what}_id',
            PROBLEM,
            file.path,
            f'boxes whose {what}_id is not in the file (they are left out)',
            (
                f'{file.describe(row)}, {what}_id {file.annotations[row][f"{what}_id"]}'
                for row in np.flatnonzero(places < 0)
            ),
        )


def check_geometry(
    file: Labels, frame: str = 'image', fate: str = 'they are left out'
) -> Iterator[Issue]:
    """Boxes that are none, or not where their image is.

    Args:
        file: the boxes.
        frame: what they should be inside of.
        fate: what becomes of those that are of no use.
    """
    boxes = file.boxes
    placed = boxes.image >= 0
    flat = (boxes.sides <= 0).any(1)
    outside = placed & ~flat & (boxes.inside.prod(1) == 0)
    # Without an area of its own in the file COCO's evaluation would sort it into no size either
    no_area = ~flat & (boxes.area <= 0)
    thin = ~flat & ~no_area & (boxes.sides < 1).any(1)
    cut = placed & ~flat & ~outside & (boxes.sides - boxes.inside > BORDER).any(1)
    for kind, level, rows, message in (
        ('zero_area', PROBLEM, flat, f'boxes without width or height ({fate})'),
        ('no_area', PROBLEM, no_area, f'boxes whose area is not positive in the file ({fate})'),
        ('outside_image', PROBLEM, outside, f'boxes wholly outside their {frame} ({fate})'),
        ('below_one_pixel', WARNING, thin, f'boxes with a side below 1 px ({fate})'),
        (
            'across_border',
            WARNING,
            cut,
            f'boxes that reach more than {BORDER:g} px over the border of their {frame}: cut them, '
            f'or check that the boxes are x, y, width, height in pixels of this {frame}',
        ),
    ):
        found = (file.describe(row) for row in np.flatnonzero(rows))
        yield from several(kind, level, file.path, message, found)


def check_duplicates(file: Labels, frame: str = 'image') -> Iterator[Issue]:
    """Boxes that are there twice."""
    boxes = file.boxes
    rows = np.flatnonzero(boxes.used)
    keys = np.column_stack([boxes.image, boxes.category, boxes.xyxy])[rows]
    _, first, inverse = np.unique(keys.round(3), axis=0, return_index=True, return_inverse=True)
    again = rows[np.arange(len(rows)) != first[inverse.ravel()]]
    yield from several(
        'duplicate_boxes',
        PROBLEM,
        file.path,
        f'boxes that are there already, with the same {frame}, class and corners: one of them can '
        'never be detected',
        (file.describe(row) for row in again),
    )


def _empty_images(file: CocoFile) -> Iterable[Issue]:
    empty = [image['file_name'] for image in file.empty_images]
    many = len(empty) > len(file.images) / 2
    message = f'of {len(file.images)} images without a usable box: background, if that is meant'
    return several('empty_images', WARNING if many else NOTE, file.path, message, empty)
