"""COCO's JSON files, as CVAT, Roboflow and the data sets that follow COCO write them.

``iscrowd`` is COCO's (Lin et al., 2014). ``ignore`` is older than that, and MMDetection leaves out
what has it, which makes it background; here it is ignored. CVAT gives a rotated box as the upright
one and an angle in degrees, clockwise, in ``attributes.rotation`` (CVAT's pull request 3832).

Other formats are written as COCO's, so that MMDetection reads them with what they ignore:
``CocoDataset`` gives an object ``ignore_flag=1`` where ``iscrowd`` is 1, and drops one whose
``ignore`` is true, whose place is background then, and finding something there a false positive.
So whatever counts neither way is written with ``iscrowd`` 1 and without ``ignore``; the field
``ignored_because`` keeps the reason. Matching is by class, so a region that counts for no class is
written once for each.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from math import cos, radians, sin
from pathlib import Path
from typing import Any, ClassVar

from abc_mmdet.datasets.annotations.checks import read_whole
from abc_mmdet.datasets.annotations.coco_file import CocoFile
from abc_mmdet.errors import UserError
from abc_mmdet.utils.atomic_write import partial_path

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
    is_flat,
)
from .folder import MARK, Folder

_LISTS = ('images', 'annotations', 'categories')


def is_coco(content: Any) -> bool:
    """Whether the content of a JSON file has COCO's three lists."""
    return isinstance(content, dict) and all(isinstance(content.get(k), list) for k in _LISTS)


class Coco(Format):
    """COCO files of any origin; formats that follow COCO change the methods below ``read``.

    Examples:
        >>> is_coco({'images': [], 'annotations': [], 'categories': []})
        True
    """

    name: ClassVar[str] = 'coco'
    title: ClassVar[str] = 'COCO (CVAT, Roboflow)'
    layout: ClassVar[str] = 'annotations/instances_*.json and images/'

    def evidence(self, folder: Folder) -> str:
        path = next(iter(self.files(folder)), None)
        return '' if path is None else folder.short(path)

    def read(self, folder: Folder, options: Options) -> DataSet:
        files = {path: read_whole(str(path)) for path in self.files(folder)}
        classes = self.classes(files)
        data = DataSet(self.name, self.title, classes, {})
        for path, file in files.items():
            split = folder.split_of(path, by_file=True)
            if split in data.splits:
                folder.problems.add(
                    f'are a second file of the same split ({split}): give the folder of one data '
                    'set, or move one file away',
                    folder.short(path),
                )
            data.splits[split] = self._images(folder, path, file, split, data)
        return data

    def files(self, folder: Folder) -> list[Path]:
        """Annotation files of this format."""
        found = folder.json_files
        # Those of single images are of other formats, and thousands
        found = [path for path in found if path.stem not in folder.stems]
        return [path for path in found if is_coco(folder.json(path))]

    def classes(self, files: dict[Path, CocoFile]) -> tuple[str, ...]:
        """Names in the order of the files; of the first one first."""
        names = (self.class_name(c) for file in files.values() for c in file.categories)
        return tuple(dict.fromkeys(name for name in names if name is not None))

    def class_name(self, category: dict) -> str | None:
        """The class of a category; None where its boxes are regions to ignore."""
        return category['name']

    def why_ignored(self, annotation: dict) -> str:
        """Why an annotation counts neither way; empty if it counts."""
        return next((mark for mark in ('iscrowd', 'ignore') if annotation.get(mark)), '')

    def near(self, folder: Folder, split: str) -> list[Path]:
        """Folders of the images of a split, from the most likely one."""
        return [folder.root / 'images' / split, folder.root / split]

    def box(self, annotation: dict, data: DataSet) -> tuple[float, float, float, float]:
        """Left, top, width and height of an annotation."""
        x, y, width, height = annotation['bbox']
        attributes = annotation.get('attributes')
        angle = as_number(attributes.get('rotation')) if isinstance(attributes, dict) else None
        if not angle or annotation.get('segmentation'):
            return x, y, width, height
        note = 'rotated boxes (attributes.rotation) became the upright box around them'
        if note not in data.notes:
            data.notes.append(note)
        return turned((x, y, width, height), angle)

    def _images(
        self, folder: Folder, path: Path, file: CocoFile, split: str, data: DataSet
    ) -> list[ImageRecord]:
        near = [path.parent, *self.near(folder, split)]
        found: dict[Any, Path] = {}
        for image in file.images:
            place = folder.find_image(image['file_name'], near, split)
            if place is None:
                folder.problems.add(MISSING, f'{folder.short(path)}: {image["file_name"]}')
            else:
                found[image['id']] = place
        sizes = folder.sizes(found.values())
        boxes: dict[Any, list[Box]] = {image['id']: [] for image in file.images}
        names = {category['id']: self.class_name(category) for category in file.categories}
        for number, annotation in enumerate(file.annotations):
            where = f'{folder.short(path)}: annotations[{number}] (id {annotation["id"]})'
            self._add(folder, annotation, where, boxes, names, data)
        records = []
        for image in file.images:
            place = found.get(image['id'])
            if place is not None and place in sizes:
                said = (int(image['width']), int(image['height']))
                where = f'{folder.short(path)}: {image["file_name"]}'
                folder.check_size(where, place, sizes[place], said)
                records.append(ImageRecord(place, sizes[place], tuple(boxes[image['id']])))
        return records

    def _add(
        self,
        folder: Folder,
        annotation: dict,
        place: str,
        boxes: dict[Any, list[Box]],
        names: dict[Any, str | None],
        data: DataSet,
    ) -> None:
        """Put an annotation to the boxes of its image."""
        image, category = annotation['image_id'], annotation['category_id']
        if image not in boxes or category not in names:
            folder.problems.add(
                'annotations are of an image or a category that the file does not list: correct '
                'or delete them',
                f'{place}: image_id {image!r}, category_id {category!r}',
            )
            return
        box, name = self.box(annotation, data), names[category]
        if is_flat(box):
            data.skipped[NO_AREA] += 1
            return
        why = self.why_ignored(annotation) if name is not None else 'ignore'
        same = tuple(annotation['bbox']) == tuple(box)
        area = annotation['area'] if same and annotation['area'] > 0 else None
        boxes[image].append(Box(box, name, why, area))


def turned(
    xywh: tuple[float, float, float, float], degrees: float
) -> tuple[float, float, float, float]:
    """The upright box around a box that is turned about its centre.

    Examples:
        >>> [round(side, 6) for side in turned((10, 10, 4, 2), 90)]
        [11.0, 9.0, 2.0, 4.0]
    """
    x, y, width, height = xywh
    c, s = cos(radians(degrees)), sin(radians(degrees))
    middle = (x + width / 2, y + height / 2)
    points: list[float] = []
    for right, below in ((-1, -1), (1, -1), (1, 1), (-1, 1)):
        dx, dy = right * width / 2, below * height / 2
        points += [middle[0] + dx * c - dy * s, middle[1] + dx * s + dy * c]
    return enclosing(points)


def as_coco(images: Sequence[ImageRecord], classes: Sequence[str], root: Path) -> dict[str, Any]:
    """One split in COCO's format.

    Args:
        images: of the split.
        classes: names; their ids begin with 1.
        root: folder that file names are relative to.

    Examples:
        >>> from abc_mmdet.datasets.formats import Box
        >>> image = ImageRecord(Path('d/a.png'), (9, 9), (Box((1, 2, 3, 4), 'car', 'difficult'),))
        >>> as_coco([image], ['car'], Path('d'))['annotations']  # doctest: +NORMALIZE_WHITESPACE
        [{'id': 1, 'image_id': 1, 'category_id': 1, 'bbox': [1, 2, 3, 4], 'area': 12, 'iscrowd': 1,
          'ignored_because': 'difficult'}]
    """
    ids = {name: number for number, name in enumerate(classes, 1)}
    entries: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for number, image in enumerate(images, 1):
        width, height = image.size
        name = image.path.relative_to(root).as_posix()
        entries.append(dict(id=number, file_name=name, width=width, height=height))
        for box in image.boxes:
            x, y, w, h = box.xywh
            for category in ids.values() if box.label is None else [ids[box.label]]:
                annotation: dict[str, Any] = dict(
                    id=len(annotations) + 1,
                    image_id=number,
                    category_id=category,
                    bbox=[x, y, w, h],
                    area=w * h if box.area is None else box.area,
                    iscrowd=int(bool(box.ignored)),
                )
                if box.ignored:
                    annotation['ignored_because'] = box.ignored
                annotations.append(annotation)
    categories = [dict(id=number, name=name) for name, number in ids.items()]
    return dict(images=entries, annotations=annotations, categories=categories)


def write_splits(data: DataSet, root: Path, paths: Mapping[str, Path]) -> None:
    """Write splits of a data set, all of them or nothing.

    Args:
        data: what was read.
        root: folder that file names are relative to.
        paths: files to write, by split; earlier ones are replaced.

    Raises:
        UserError: a place that cannot be written to.
    """
    contents = {
        path: json.dumps(
            dict(
                info={**MARK, 'converted_from': data.title},
                **as_coco(data.splits[split], data.classes, root),
            )
        ).encode()
        for split, path in paths.items()
    }
    partial = {path: partial_path(path) for path in contents}
    new = [path for path in contents if not path.exists()]
    try:
        for path, content in contents.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            partial[path].write_bytes(content)
        for path in contents:
            os.replace(partial[path], path)
    except OSError as error:
        for path in new:
            with suppress(OSError):
                path.unlink()
        raise UserError(f'cannot write {error.filename}: {error.strerror or error}') from error
    finally:
        for left in partial.values():
            with suppress(OSError):
                left.unlink()
