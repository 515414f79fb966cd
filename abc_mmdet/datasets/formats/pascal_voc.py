"""Pascal VOC's XML files: one for each image.

Layout and fields are those of the `development kit
<http://host.robots.ox.ac.uk/pascal/VOC/voc2012/htmldoc/devkit_doc.html>`_ (Everingham et al.,
2010), and of LabelImg, CVAT and Roboflow, which write the same files. Its evaluation counts
``difficult`` objects neither way, so they are ignored.
"""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar
from xml.etree import ElementTree

from abc_mmdet.errors import UserError

from .base import (
    MISSING,
    NO_AREA,
    Box,
    DataSet,
    Format,
    ImageRecord,
    Options,
    as_number,
    check_class,
    count_unlabelled,
    first_lines,
    is_flat,
    ordered,
)
from .folder import Folder

_SIDES = ('xmin', 'ymin', 'xmax', 'ymax')


class PascalVoc(Format):
    """Pascal VOC's XML files.

    In VOC's own files the first pixel is 1 and ``xmax`` the last pixel of the object, so a box
    reaches from ``xmin - 1`` to ``xmax``. LabelImg, CVAT and Roboflow write corners from 0, and
    nothing in a file says which it is. So those of ``The VOC... Database`` (field ``source``) are
    taken as numbered from 1, unless a 0 says otherwise, and all others from 0; ``--first-pixel``
    decides it.

    Splits are those of ``ImageSets/Main``, else the folders ``train``, ``val`` and ``test``.

    Examples:
        >>> PascalVoc.name
        'voc'
    """

    name: ClassVar[str] = 'voc'
    title: ClassVar[str] = 'Pascal VOC'
    layout: ClassVar[str] = 'an .xml file for each image, such as Annotations/ and JPEGImages/'

    def evidence(self, folder: Folder) -> str:
        for path in folder.with_suffix('.xml')[:5]:
            if any('<annotation' in line for line in first_lines(path)):
                return folder.short(path)
        return ''

    def read(self, folder: Folder, options: Options) -> DataSet:
        files = {path: _parsed(folder, path) for path in folder.with_suffix('.xml')}
        roots = {path: root for path, root in files.items() if root is not None}
        first = options.first_pixel
        if first is None:
            first = _first_pixel(list(roots.values()))
        images = _images(folder, roots)
        sizes = folder.sizes(images.values())
        names = [_text(item, 'name') for root in roots.values() for item in root.iter('object')]
        classes = ordered([name for name in names if name], options.classes)
        data = DataSet(self.name, self.title, classes, {})
        records = {}
        for path, image in images.items():
            if image in sizes:
                boxes = self._boxes(folder, path, roots[path], options, first, data)
                records[path] = ImageRecord(image, sizes[image], tuple(boxes))
                folder.check_size(folder.short(path), image, sizes[image], _said(roots[path]))
        data.splits = _splits(folder, records)
        count_unlabelled(data, folder, images)
        how = 'as given' if options.first_pixel is not None else 'as its source says'
        if first == 0 and options.first_pixel is None:
            how = (
                'as LabelImg, CVAT and Roboflow write them '
                '(python tools/dataset_converters/to_coco.py --first-pixel 1 reads them otherwise)'
            )
        data.notes.append(f'pixels are numbered from {first}, {how}')
        return data

    def _boxes(
        self,
        folder: Folder,
        path: Path,
        root: ElementTree.Element,
        options: Options,
        first: int,
        data: DataSet,
    ) -> list[Box]:
        """Boxes of one file."""
        boxes = []
        for number, item in enumerate(root.iterfind('object'), 1):
            name = _text(item, 'name')
            place = f'{folder.short(path)}: object {number} ({name})'
            corners = item.find('bndbox')
            said = [None if corners is None else corners.findtext(side) for side in _SIDES]
            values = [as_number(text) for text in said]
            if None in values or not name:
                folder.problems.add(
                    'objects have no name, or no bndbox with the numbers xmin, ymin, xmax and '
                    'ymax: correct or delete them',
                    f'{place}: {said}',
                )
                continue
            x1, y1, x2, y2 = (value for value in values if value is not None)
            if x2 < x1 or y2 < y1:
                folder.problems.add(
                    'boxes end before they begin (xmax < xmin or ymax < ymin): a box of Pascal '
                    'VOC is two corners, not a corner and a size',
                    f'{place}: {said}',
                )
                continue
            if not check_class(folder, name, options.classes, place):
                continue
            box = (x1 - first, y1 - first, x2 - x1 + first, y2 - y1 + first)
            if is_flat(box):
                data.skipped[NO_AREA] += 1
                continue
            difficult = (_text(item, 'difficult') or '0').lower() in ('1', 'true')
            boxes.append(Box(box, name, 'difficult' if difficult else ''))
        return boxes


def _parsed(folder: Folder, path: Path) -> ElementTree.Element | None:
    content = path.read_bytes()
    if b'<!ENTITY' in content or b'<!DOCTYPE' in content:
        folder.problems.add(
            'XML files define entities, with which a small file can fill the memory: delete the '
            'line that begins with <!DOCTYPE',
            folder.short(path),
        )
        return None
    try:
        root = ElementTree.fromstring(content)
    except ElementTree.ParseError as error:
        folder.problems.add('are not XML, or cut off', f'{folder.short(path)}: {error}')
        return None
    if root.tag != 'annotation':
        folder.problems.add(
            "XML files are not Pascal VOC's, whose first element is annotation: move them away",
            f'{folder.short(path)}: {root.tag}',
        )
        return None
    return root


def _text(element: ElementTree.Element, name: str) -> str:
    return (element.findtext(name) or '').strip()


def _first_pixel(roots: list[ElementTree.Element]) -> int:
    own = bool(roots) and all(_text(r, 'source/database').startswith('The VOC') for r in roots)
    corners = (item.findtext(f'bndbox/{s}') for r in roots for item in r for s in _SIDES[:2])
    return int(own and not any(as_number(corner) == 0 for corner in corners))


def _said(root: ElementTree.Element) -> tuple[int, int]:
    width, height = (as_number(_text(root, f'size/{side}')) or 0 for side in ('width', 'height'))
    return int(width), int(height)


def _images(folder: Folder, roots: dict[Path, ElementTree.Element]) -> dict[Path, Path]:
    """The image of each file: that of its ``filename``, else that of its own name."""
    found = {}
    for path, root in roots.items():
        name, split = _text(root, 'filename'), folder.split_of(path)
        near = [path.parent, *(path.parent.parent / n for n in ('JPEGImages', 'images'))]
        # Files are renamed, and their field is not
        image = folder.image_of_stem(path, near, split)
        image = image or (folder.find_image(name, near, split) if name else None)
        if image is None:
            folder.problems.add(MISSING, f'{folder.short(path)}: {name or path.stem}')
        else:
            found[path] = image
    return found


def _splits(folder: Folder, records: dict[Path, ImageRecord]) -> dict[str, list[ImageRecord]]:
    lists = {
        path.stem: path
        for path in folder.with_suffix('.txt')
        if path.parts[-3:-1] == ('ImageSets', 'Main')
        and path.stem in ('train', 'val', 'test', 'trainval')
    }
    if {'train', 'val'} <= lists.keys():
        lists.pop('trainval', None)
    splits: dict[str, list[ImageRecord]] = {}
    if not lists:
        for path, record in records.items():
            splits.setdefault(folder.split_of(path), []).append(record)
        return splits
    by_stem: dict[str, list[ImageRecord]] = {}
    for path, record in records.items():
        by_stem.setdefault(path.stem, []).append(record)
    if any(len(same) > 1 for same in by_stem.values()):
        raise UserError(
            f'{folder.root} holds several data sets, whose annotation files have the same names: '
            'give the folder of one of them.'
        )
    for split, path in lists.items():
        name = 'train' if split == 'trainval' else split
        splits[name] = []
        for number, line in enumerate(folder.text(path).splitlines(), 1):
            if not line.strip():
                continue
            stem = line.split()[0]
            if stem in by_stem:
                splits[name] += by_stem[stem]
            elif not folder.problems:
                place = f'{folder.short(path)}:{number}: {stem}'
                folder.problems.add('images of a list have no annotation file', place)
    return splits
