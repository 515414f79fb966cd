"""Defects of one annotation file."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Protocol

import numpy as np

from abc_mmdet.datasets.annotations.coco_file import BoxTable, CocoFile
from abc_mmdet.datasets.annotations.finding import NOTE, PROBLEM, WARNING, Finding, several
from abc_mmdet.datasets.annotations.reading import check_entries, given_twice

from .box_reading import check_reading
from .use_check import check_ignored


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


def check_annotations(file: CocoFile) -> Iterator[Finding]:
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


def _references(file: CocoFile) -> Iterator[Finding]:
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
) -> Iterator[Finding]:
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


def check_duplicates(file: Labels, frame: str = 'image') -> Iterator[Finding]:
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


def _empty_images(file: CocoFile) -> Iterable[Finding]:
    empty = [image['file_name'] for image in file.empty_images]
    many = len(empty) > len(file.images) / 2
    message = f'of {len(file.images)} images without a usable box: background, if that is meant'
    return several('empty_images', WARNING if many else NOTE, file.path, message, empty)
