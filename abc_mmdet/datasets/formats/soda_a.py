"""SODA-A's JSON files (Cheng et al., 2023): one for each image, with oriented boxes.

``images`` is one object with ``file_name``, ``width`` and ``height``; each of ``annotations`` has
``poly``, ``x1, y1, x2, y2, ...``, and ``category_id``, from 0. Category 9, ``ignore``, are regions
that count for no class (`toolkit <https://github.com/shaunyuan22/SODA-mmrotate>`_).
"""

from __future__ import annotations

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
    enclosing,
    is_flat,
)
from .folder import Folder

CLASSES = (
    'airplane',
    'helicopter',
    'small-vehicle',
    'large-vehicle',
    'ship',
    'container',
    'storage-tank',
    'swimming-pool',
    'windmill',
)
"""Categories 0 to 8."""


class SodaA(Format):
    """SODA-A, whose oriented boxes become the upright box around them.

    ``Annotations/SPLIT/*.json`` and ``Images/SPLIT``, or ``SPLIT/Annotations`` and
    ``SPLIT/Images``. Of its copies without regions to ignore nothing is read where the whole files
    (``AnnsWithIgnore``) are there.

    Examples:
        >>> CLASSES[8]
        'windmill'
    """

    name: ClassVar[str] = 'soda-a'
    title: ClassVar[str] = 'SODA-A'
    layout: ClassVar[str] = 'Annotations/{train,val,test}/*.json and Images/{train,val,test}/'

    def evidence(self, folder: Folder) -> str:
        for path in folder.json_files[:5]:
            if _is_soda_a(folder.json(path)):
                return folder.short(path)
        return ''

    def read(self, folder: Folder, options: Options) -> DataSet:
        data = DataSet(self.name, self.title, CLASSES, {})
        contents: dict[Path, dict] = {}
        images: dict[Path, Path] = {}
        for path in _files(folder):
            content = folder.json(path)
            if not _is_soda_a(content):
                folder.problems.add(
                    'JSON files are not SODA-A\'s, which have "images" as an object and "poly" in '
                    'annotations: move them away',
                    folder.short(path),
                )
                continue
            split = folder.split_of(path)
            parent = path.parent
            near = [folder.root / 'Images' / split, parent.parent / 'Images', parent]
            name = content['images'].get('file_name')
            image = folder.find_image(name, near, split) if isinstance(name, str) else None
            image = image or folder.image_of_stem(path, near, split)
            if image is None:
                folder.problems.add(MISSING, f'{folder.short(path)}: {name or path.stem}')
            else:
                contents[path], images[path] = content, image
        add_records(
            data,
            folder,
            images,
            lambda path: _boxes(folder, path, contents[path]['annotations'], data),
            lambda path: _said(contents[path]['images']),
        )
        data.notes.append('oriented boxes became the upright box around them')
        return data


def _is_soda_a(content: Any) -> bool:
    if not isinstance(content, dict) or not isinstance(content.get('images'), dict):
        return False
    annotations = content.get('annotations')
    if not isinstance(annotations, list):
        return False
    return all(isinstance(a, dict) and 'poly' in a for a in annotations[:1])


def _said(about: dict) -> tuple[int, int]:
    return about.get('width') or 0, about.get('height') or 0


def _files(folder: Folder) -> list[Path]:
    found = folder.json_files
    whole = {path.parent.parent for path in found if path.parent.name == 'AnnsWithIgnore'}
    reduced = ('AnnsWoIgnore', 'Annotations')
    return [
        path
        for path in found
        if not (path.parent.name in reduced and path.parent.parent in whole)
        and path.parent.name != 'AnnsWoIgnore'
    ]


def _boxes(folder: Folder, path: Path, annotations: list, data: DataSet) -> list[Box]:
    boxes = []
    for number, annotation in enumerate(annotations):
        place = f'{folder.short(path)}: annotations[{number}]'
        entry: dict[str, Any] = annotation if isinstance(annotation, dict) else {}
        poly: Any = entry.get('poly')
        category: Any = entry.get('category_id')
        corners = [as_number(v) for v in poly] if isinstance(poly, list) else []
        numbers = [value for value in corners if value is not None]
        if len(numbers) < 6 or len(numbers) % 2 or len(numbers) != len(corners):
            folder.problems.add(
                'annotations have no poly of three or more corners: correct or delete them',
                f'{place}: {str(poly)[:60]}',
            )
        elif category not in range(len(CLASSES) + 1) or isinstance(category, bool):
            folder.problems.add(
                'annotations have a category_id that SODA-A does not have (0 to 9): correct them',
                f'{place}: {category!r}',
            )
        elif is_flat(enclosing(numbers)):
            data.skipped[NO_AREA] += 1
        elif category == len(CLASSES):
            boxes.append(Box(enclosing(numbers), None, 'ignore'))
        else:
            boxes.append(Box(enclosing(numbers), CLASSES[int(category)]))
    return boxes
