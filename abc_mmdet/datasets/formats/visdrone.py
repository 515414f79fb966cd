"""VisDrone's text files for detection in images (DET).

``x, y, width, height, score, category, truncation, occlusion`` in pixels (Zhu et al., 2021; the
`format <http://aiskyeye.com/evaluate/results-format_2021/>`_ and the evaluation of the `toolkit
<https://github.com/VisDrone/VisDrone2018-DET-toolkit>`_). Ground truth of score 0 is ignored in
evaluation. Category 0 are ignored regions, 11 other objects: neither is evaluated, and a detection
in an ignored region does not count.
"""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from .base import (
    MISSING,
    NO_AREA,
    Box,
    DataSet,
    Format,
    Options,
    add_records,
    as_number,
    count_unlabelled,
    first_lines,
    is_flat,
)
from .folder import Folder

CLASSES = (
    'pedestrian',
    'people',
    'bicycle',
    'car',
    'van',
    'truck',
    'tricycle',
    'awning-tricycle',
    'bus',
    'motor',
)
"""Categories 1 to 10."""

_IGNORED, _OTHERS = 0, 11


class VisDrone(Format):
    """VisDrone-DET: ``images/`` and ``annotations/`` for each split.

    Ignored regions and other objects become regions to ignore for all ten classes.

    Examples:
        >>> len(CLASSES)
        10
    """

    name: ClassVar[str] = 'visdrone'
    title: ClassVar[str] = 'VisDrone-DET'
    layout: ClassVar[str] = 'VisDrone2019-DET-train/annotations/*.txt and .../images'

    def evidence(self, folder: Folder) -> str:
        for path in _files(folder):
            lines = first_lines(path, 1)
            if lines:
                return folder.short(path) if len(_columns(lines[0])) in (8, 10) else ''
        return ''

    def read(self, folder: Folder, options: Options) -> DataSet:
        data = DataSet(self.name, self.title, CLASSES, {})
        images = {}
        for path in _files(folder):
            near = [path.parent.parent / 'images']
            image = folder.image_of_stem(path, near, folder.split_of(path))
            if image is None:
                folder.problems.add(MISSING, folder.short(path))
            else:
                images[path] = image
        add_records(data, folder, images, lambda path: _boxes(folder, path, data))
        count_unlabelled(data, folder, images)
        return data


def _files(folder: Folder) -> list[Path]:
    return [path for path in folder.with_suffix('.txt') if path.parent.name == 'annotations']


def _columns(line: str) -> list[str]:
    """Values of a line; many of VisDrone's own end in a comma."""
    return line.strip().removesuffix(',').split(',')


def _boxes(folder: Folder, path: Path, data: DataSet) -> list[Box]:
    boxes = []
    for number, line in enumerate(folder.text(path).splitlines(), 1):
        if not line.strip():
            continue
        place = f'{folder.short(path)}:{number}: {line.strip()[:60]}'
        columns = _columns(line)
        if len(columns) == 10:
            folder.problems.add(
                'lines have ten columns, those of VisDrone-VID and -MOT: give a data set for '
                'detection in images (DET), with eight',
                place,
            )
            continue
        values = [value for column in columns if (value := as_number(column)) is not None]
        if len(columns) != 8 or len(values) != 8:
            folder.problems.add(
                'lines are not "x,y,width,height,score,category,truncation,occlusion": correct or '
                'delete them',
                place,
            )
            continue
        x, y, width, height, score, category = values[:6]
        if category not in range(_OTHERS + 1):
            folder.problems.add(
                'lines have a category that VisDrone does not have (0 to 11): correct them', place
            )
        elif is_flat((x, y, width, height)):
            data.skipped[NO_AREA] += 1
        elif category == _IGNORED:
            boxes.append(Box((x, y, width, height), None, 'ignored region'))
        elif category == _OTHERS:
            boxes.append(Box((x, y, width, height), None, 'others'))
        else:
            why = '' if score else 'score 0'
            boxes.append(Box((x, y, width, height), CLASSES[int(category) - 1], why))
    return boxes
