"""Class names of a config against an annotation file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

import numpy as np

from abc_mmdet.datasets.annotations.checks import PROBLEM, WARNING, Issue, several
from abc_mmdet.datasets.annotations.coco_file import CocoFile

from .annotation_checks import Labels


class NamedLabels(Labels, Protocol):
    """Boxes of categories with names."""

    @property
    def names(self) -> list[str]:
        """Of the categories."""


def check_classes(file: CocoFile, classes: Sequence[str], field: str) -> Iterator[Issue]:
    """Compare names, order and use.

    ``CocoDataset`` numbers classes in the order of the *file* and leaves out names the file does
    not know; both shift labels without a word.

    Args:
        file: the annotation file.
        classes: ``metainfo.classes`` of the data set.
        field: where they stand, for the message.
    """
    names = file.names
    yield from several(
        'unknown_classes',
        PROBLEM,
        field,
        f'classes that {file.path} does not have: the labels of all that follow shift. It has '
        f'{_short(names)}',
        (name for name in classes if name not in names),
    )
    known = [name for name in classes if name in names]
    in_file_order = [name for name in names if name in known]
    if known != in_file_order and sorted(known) == sorted(in_file_order):
        first = next(i for i, (a, b) in enumerate(zip(known, in_file_order, strict=True)) if a != b)
        yield Issue(
            'class_order',
            PROBLEM,
            field,
            f'classes are not in the order of {file.path}, in which MMDetection numbers boxes: '
            f'{known[first]!r} would be learnt from the boxes of {in_file_order[first]!r}. Use '
            f'{_short(in_file_order)}',
        )
    yield from check_use(file, classes, field)


def check_use(file: NamedLabels, classes: Sequence[str], field: str) -> Iterator[Issue]:
    """Which categories have boxes and no class, or the other way round."""
    numbers = boxes_per_category(file)
    names = file.names
    yield from several(
        'unused_categories',
        WARNING,
        file.path,
        f'categories with boxes that {field} leaves out: these objects are background',
        (
            f'{name} ({number} boxes)'
            for name, number in zip(names, numbers, strict=True)
            if name not in classes and number
        ),
    )
    with_boxes = {name for name, number in zip(names, numbers, strict=True) if number}
    if len(file.boxes.xyxy):
        yield from several(
            'classes_without_boxes',
            WARNING,
            file.path,
            'classes without any box: they cannot be learnt or evaluated here',
            (name for name in classes if name in names and name not in with_boxes),
        )


def boxes_per_category(file: NamedLabels) -> np.ndarray:
    """Number of usable boxes of every category, in the order of the file."""
    used = file.boxes.category[file.boxes.used]
    return np.bincount(used, minlength=len(file.names))


def _short(names: Sequence[str], most: int = 20) -> str:
    shown = ', '.join(map(repr, names[:most]))
    return f'({shown}, ... {len(names)} in all)' if len(names) > most else f'({shown})'
