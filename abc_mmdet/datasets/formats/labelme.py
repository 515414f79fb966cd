"""LabelMe's JSON files: one for each image.

``shapes`` with ``label``, ``points``, ``shape_type`` and ``group_id`` (Wada, `labelme
<https://github.com/wkentaro/labelme>`_). Shapes of one label and group are one object, and
``__ignore__`` and ``_background_`` are no classes, as in its own conversion to COCO.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from math import dist
from pathlib import Path
from typing import Any, ClassVar

from .base import (
    MISSING,
    NO_AREA,
    Box,
    DataSet,
    Format,
    Options,
    add_records,
    as_number,
    check_class,
    count_unlabelled,
    enclosing,
    is_flat,
    ordered,
)
from .folder import Folder

IGNORE, BACKGROUND = '__ignore__', '_background_'
_NUM_POINTS = {'rectangle': 2, 'mask': 2, 'circle': 2, 'polygon': 3, 'oriented_rectangle': 3}
"""Shapes that have a box, and the points that they have at least."""
_NO_BOX = ('point', 'points', 'line', 'linestrip')


class LabelMe(Format):
    """LabelMe's JSON files.

    Rectangles, polygons, circles and masks become the box around them; points and lines are left
    out. ``__ignore__`` is a region to ignore, for all classes; the flag ``ignore`` of a shape (or
    ``difficult``) makes it ignored. Classes are those of ``labels.txt``, else sorted by name.

    Examples:
        >>> LabelMe.name
        'labelme'
    """

    name: ClassVar[str] = 'labelme'
    title: ClassVar[str] = 'LabelMe'
    layout: ClassVar[str] = 'a .json file with "shapes" for each image'

    def evidence(self, folder: Folder) -> str:
        for path in folder.json_files[:5]:
            if _is_labelme(folder.json(path)):
                return folder.short(path)
        return ''

    def read(self, folder: Folder, options: Options) -> DataSet:
        contents: dict[Path, dict] = {}
        images: dict[Path, Path] = {}
        for path in folder.json_files:
            content = folder.json(path)
            if not _is_labelme(content):
                folder.problems.add(
                    'JSON files are not LabelMe\'s, which have "shapes" and "imagePath": move '
                    'them away',
                    folder.short(path),
                )
                continue
            image = folder.find_image(str(content['imagePath']), [path.parent])
            image = image or folder.image_of_stem(path, split=folder.split_of(path))
            if image is None:
                folder.problems.add(MISSING, f'{folder.short(path)}: {content["imagePath"]}')
            else:
                contents[path], images[path] = content, image
        wanted = _listed(folder) if options.classes is None else options.classes
        names = [
            str(shape.get('label'))
            for content in contents.values()
            for shape in content['shapes']
            if isinstance(shape, dict)
        ]
        classes = ordered([name for name in names if name not in (IGNORE, BACKGROUND)], wanted)
        data = DataSet(self.name, self.title, classes, {})
        add_records(
            data,
            folder,
            images,
            lambda path: _boxes(folder, path, contents[path], wanted, data),
            lambda path: _said(contents[path]),
        )
        count_unlabelled(data, folder, images)
        return data


def _is_labelme(content: Any) -> bool:
    return (
        isinstance(content, dict)
        and isinstance(content.get('shapes'), list)
        and isinstance(content.get('imagePath'), str)
    )


def _said(content: dict) -> tuple[int, int]:
    return content.get('imageWidth') or 0, content.get('imageHeight') or 0


def _listed(folder: Folder) -> Sequence[str] | None:
    path = next((p for p in folder.files if p.name == 'labels.txt'), None)
    if path is None:
        return None
    names = [line.strip() for line in folder.text(path).splitlines() if line.strip()]
    return [name for name in names if name not in (IGNORE, BACKGROUND)]


def _boxes(
    folder: Folder, path: Path, content: dict, wanted: Sequence[str] | None, data: DataSet
) -> list[Box]:
    """Objects of one file: shapes, or several of one label and group."""
    groups: dict[tuple, list[float]] = defaultdict(list)
    ignored: dict[tuple, str] = {}
    for number, shape in enumerate(content['shapes']):
        place = f'{folder.short(path)}: shapes[{number}]'
        kind = shape.get('shape_type') if isinstance(shape, dict) else None
        if kind in _NO_BOX:
            data.skipped['points and lines'] += 1
            continue
        points = _points(shape, kind)
        label = shape.get('label') if isinstance(shape, dict) else None
        if points is None or not isinstance(label, str) or not label:
            folder.problems.add(
                'shapes have no label, an unknown shape_type or points that are none: correct or '
                'delete them',
                f'{place}: {label!r}, {kind!r}',
            )
            continue
        if label == BACKGROUND:
            data.skipped['shapes of _background_'] += 1
            continue
        if label != IGNORE and not check_class(folder, label, wanted, f'{place}'):
            continue
        group = shape.get('group_id')
        key = (label, None if group is None else str(group), number if group is None else -1)
        groups[key] += points
        flags = shape.get('flags') or {}
        ignored[key] = next((name for name in ('ignore', 'difficult') if flags.get(name)), '')
    boxes = []
    for key, points in groups.items():
        box, label = enclosing(points), key[0]
        if is_flat(box):
            data.skipped[NO_AREA] += 1
        elif label == IGNORE:
            boxes.append(Box(box, None, IGNORE))
        else:
            boxes.append(Box(box, label, ignored[key]))
    return boxes


def _points(shape: Any, kind: Any) -> list[float] | None:
    """Corners of a shape, ``x1, y1, x2, y2, ...``."""
    given = shape.get('points') if isinstance(shape, dict) else None
    kind = kind or 'polygon'
    if kind not in _NUM_POINTS or not isinstance(given, list) or len(given) < _NUM_POINTS[kind]:
        return None
    values = []
    for point in given:
        pair = [as_number(v) for v in point] if isinstance(point, (list, tuple)) else []
        numbers = [value for value in pair if value is not None]
        if len(pair) != 2 or len(numbers) != 2:
            return None
        values += numbers
    if kind == 'circle':
        x, y = values[:2]
        radius = dist(values[:2], values[2:4])
        return [x - radius, y - radius, x + radius, y + radius]
    return values
