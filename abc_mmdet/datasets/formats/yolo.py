"""YOLO's text files: one for each image, one line for each object.

``class x y width height``, with the centre and size of the box as shares of the image (Ultralytics'
`dataset guide <https://docs.ultralytics.com/datasets/detect/>`_; Darknet before it). Classes are
numbered from 0, after ``names`` in ``data.yaml``, or the lines of ``classes.txt`` (LabelImg, Label
Studio) or ``obj.names`` (Darknet). An image without a text file, or with an empty one, is
background.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import ClassVar

from .base import (
    MISSING,
    NO_AREA,
    Box,
    DataSet,
    Format,
    ImageRecord,
    Options,
    as_number,
    enclosing,
    first_lines,
    is_flat,
)
from .folder import Folder
from .yolo_layout import NOT_LABELS, Layout, find_names, label_of

_OVER = 0.01
"""Share of the image by which coordinates may lie beyond it; Ultralytics allows as much."""

_FEW = 20
"""Text files that are looked at to know the format."""


class Yolo(Format):
    """YOLO's text files, with ``data.yaml`` or a list of classes.

    Lines with a polygon or four corners (``class x1 y1 x2 y2 x3 y3 ...``) become the box around
    their points; of lines with keypoints (``kpt_shape`` in ``data.yaml``) the box is taken.

    Examples:
        >>> Yolo.name
        'yolo'
    """

    name: ClassVar[str] = 'yolo'
    title: ClassVar[str] = 'YOLO'
    layout: ClassVar[str] = 'data.yaml or classes.txt, and a .txt file for each image'

    def evidence(self, folder: Folder) -> str:
        names = find_names(folder)
        if names and names.suffix in ('.yaml', '.yml'):
            return folder.short(names)
        looked_at = 0
        for path in folder.with_suffix('.txt'):
            lines = [] if path.name.lower() in NOT_LABELS else first_lines(path, 1)
            looked_at += bool(lines)
            if lines and _is_line(lines[0]):
                return folder.short(path)
            if looked_at == _FEW:
                break
        return ''

    def read(self, folder: Folder, options: Options) -> DataSet:
        layout = Layout.of(folder)
        data = DataSet(self.name, self.title, layout.classes, {})
        kinds: Counter[str] = Counter()
        labels: set[Path] = set()
        for split, images in layout.splits.items():
            sizes = folder.sizes(images)
            records = []
            found = 0
            for path in images:
                label = label_of(folder, path)
                found += label is not None
                if label is not None:
                    labels.add(label)
                if path in sizes:
                    boxes = _boxes(folder, label, layout, sizes[path], data.skipped, kinds)
                    records.append(ImageRecord(path, sizes[path], tuple(boxes)))
            if images and not found:
                folder.problems.add(
                    'splits have no label file for any of their images: the file of '
                    'images/NAME.jpg is labels/NAME.txt, or lies beside the image',
                    split,
                )
            data.splits[split] = records
        _check_orphans(folder, labels)
        if kinds['polygon']:
            data.notes.append(
                f'{kinds["polygon"]} lines are polygons or four corners: the box around their '
                'points was taken'
            )
        if kinds['keypoints']:
            data.notes.append(f'{kinds["keypoints"]} lines have keypoints: their box was taken')
        return data


def _is_line(line: str) -> bool:
    columns = line.split()
    return len(columns) >= 5 and all(as_number(column) is not None for column in columns)


def _boxes(
    folder: Folder,
    label: Path | None,
    layout: Layout,
    size: tuple[int, int],
    skipped: Counter[str],
    kinds: Counter[str],
) -> list[Box]:
    """Boxes of one label file."""
    if label is None:
        return []
    boxes = []
    for number, line in enumerate(folder.text(label).splitlines(), 1):
        columns = line.split()
        if not columns:
            continue
        place = f'{folder.short(label)}:{number}: {line.strip()[:60]}'
        values = [as_number(column) for column in columns]
        if len(columns) < 5 or None in values:
            folder.problems.add(
                'lines are not "class x y width height": correct or delete them', place
            )
            continue
        numbers = [value for value in values if value is not None]
        name = _class_name(folder, numbers[0], layout, place)
        box = _share(folder, numbers[1:], layout.num_keypoints, place, kinds)
        if name is None or box is None:
            continue
        x, y, width, height = box
        if is_flat(box):
            skipped[NO_AREA] += 1
            continue
        boxes.append(Box((x * size[0], y * size[1], width * size[0], height * size[1]), name))
    return boxes


def _class_name(folder: Folder, value: float, layout: Layout, place: str) -> str | None:
    if not value.is_integer() or not 0 <= value < len(layout.classes):
        folder.problems.add(
            f'lines have a class that {layout.source} does not have: it has '
            f'{len(layout.classes)}, numbered from 0. Add it to the names, or correct the lines',
            place,
        )
        return None
    return layout.classes[int(value)]


def _share(
    folder: Folder, values: list[float], num_keypoints: int, place: str, kinds: Counter[str]
) -> tuple[float, float, float, float] | None:
    """Left, top, width and height as shares of the image; None and a problem for a bad line."""
    if num_keypoints and len(values) == 4 + num_keypoints:
        kinds['keypoints'] += 1
        values = values[:4]
    if len(values) == 5:
        folder.problems.add(
            'lines have six columns, as predictions with a score have: labels have five',
            place,
        )
        return None
    if len(values) != 4 and (len(values) < 6 or len(values) % 2):
        folder.problems.add(
            'lines are neither "class x y width height" nor a class and the corners of a polygon: '
            'correct or delete them',
            place,
        )
        return None
    if min(values) < -_OVER or max(values) > 1 + _OVER:
        folder.problems.add(
            'lines have coordinates outside of 0 to 1: YOLO gives them as shares of width and '
            'height, not in pixels',
            place,
        )
        return None
    if len(values) == 4:
        x, y, width, height = values
        return x - width / 2, y - height / 2, width, height
    kinds['polygon'] += 1
    return enclosing(values)


def _check_orphans(folder: Folder, labels: set[Path]) -> None:
    places = {path.parent for path in labels}
    for path in folder.with_suffix('.txt'):
        is_label = path.parent in places and path.name.lower() not in NOT_LABELS
        if is_label and path not in labels and path.stem not in folder.stems:
            folder.problems.add(MISSING, folder.short(path))
