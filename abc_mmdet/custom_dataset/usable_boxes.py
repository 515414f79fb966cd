"""Whether anything is left of the boxes of an annotation file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from abc_mmdet.datasets.annotations.checks import PROBLEM, WARNING, Issue
from abc_mmdet.datasets.annotations.coco_file import CocoFile


def kept_boxes(file: CocoFile, classes: Sequence[str] | None, min_size: float = 0) -> np.ndarray:
    """``(N,)`` which annotations ``CocoDataset`` makes a ground truth of.

    Args:
        file: the annotation file.
        classes: that are wanted; None: all of the file.
        min_size: least side of an image (``filter_cfg``).
    """
    boxes = file.boxes
    large = boxes.image_size.min(1) >= min_size
    return boxes.used & _wanted(file, classes) & large


def check_nothing_kept(
    file: CocoFile, classes: Sequence[str] | None = None, min_size: float = 0
) -> Iterator[Issue]:
    """Say why, where no image keeps a box. Arguments as of :func:`kept_boxes`."""
    if not kept_boxes(file, classes, min_size).any():
        number = len(file.annotations) + sum(t.startswith('annotations[') for t in file.malformed)
        reasons = list(_reasons(file, classes, min_size))
        why = f': {"; ".join(reasons)}' if reasons else ''
        yield Issue(
            'no_usable_box',
            PROBLEM,
            file.path,
            f'no image keeps a box, so there is nothing to learn or measure: of {number} boxes '
            f'none is of use{why}',
        )


def check_ignored(file: CocoFile) -> Iterator[Issue]:
    """Files most of whose boxes are marked to count neither way."""
    ignored = int(file.boxes.ignored.sum())
    if ignored * 2 > len(file.annotations):
        yield Issue(
            'mostly_ignored',
            WARNING,
            file.path,
            f'{ignored} of {len(file.annotations)} boxes are crowds or marked as ignored '
            '(iscrowd, ignore): nothing is learnt from them, and neither finding nor missing them '
            'counts',
        )


def _reasons(file: CocoFile, classes: Sequence[str] | None, min_size: float) -> Iterator[str]:
    boxes, annotations = file.boxes, file.annotations
    if not annotations:
        return
    known = boxes.category >= 0
    flat, thin = (boxes.sides <= 0).any(1), (boxes.sides < 1).any(1)
    for rows, what in (
        (boxes.ignored, 'are crowds or marked as ignored (iscrowd, ignore)'),
        (boxes.area <= 0, 'have an area that is not positive: write width x height as area'),
        (flat, 'have no width or height, or a negative one: a box is x, y, width, height'),
        (thin & ~flat, f'have a side below 1 px{_relative(boxes.xyxy)}'),
        (boxes.image < 0, f'have an image_id that is not in the file{_types(file, "image")}'),
        (~known, f'have a category_id that is not in the file{_types(file, "category")}'),
        (known & ~_wanted(file, classes), f'are not of {classes}'),
        (
            (boxes.image >= 0) & ~flat & (boxes.inside.prod(1) == 0),
            'lie wholly outside their image',
        ),
        (
            (boxes.image >= 0) & (boxes.image_size.min(1) < min_size),
            f'are in images with a side below min_size={min_size} of filter_cfg',
        ),
    ):
        if rows.any():
            yield f'{rows.sum()} {what}'


def _wanted(file: CocoFile, classes: Sequence[str] | None) -> np.ndarray:
    """``(N,)`` which annotations are of these classes; those of no category are of none."""
    wanted = [classes is None or name in classes for name in file.names]
    return np.array([*wanted, False])[file.boxes.category]


def _relative(xyxy: np.ndarray) -> str:
    if xyxy.max() > 1.001:
        return ''
    return ' (all coordinates lie between 0 and 1: multiply them by width and height)'


def _types(file: CocoFile, what: str) -> str:
    """Ids that differ in nothing but being text."""
    entries = file.images if what == 'image' else file.categories
    given = {annotation[f'{what}_id'] for annotation in file.annotations}
    ids = {entry['id'] for entry in entries}
    if given & ids or not {str(i) for i in given} & {str(i) for i in ids}:
        return ''
    example = min(given, key=str)
    return f' ({what}_id {example!r} is {type(example).__name__}, the ids of the file are not)'
