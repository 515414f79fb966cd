"""Tiny writers of each format, by hand and without the readers: what a data set looks like."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree as ET

import cv2
import numpy as np

NAMES = ('car', 'person', 'bicycle')
"""Sorted differently than by name, as lists of classes are."""


class Thing(NamedTuple):
    """An object: class, left, top, width, height, and whether it is ignored."""

    name: str
    x: float
    y: float
    w: float
    h: float
    ignored: bool = False


class Picture(NamedTuple):
    """An image and what is in it."""

    name: str
    width: int
    height: int
    things: tuple[Thing, ...]


def draw(path: Path, width: int, height: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), np.full((height, width, 3), 99, np.uint8))


def yolo(root: Path, splits: dict[str, Sequence[Picture]]) -> None:
    lines = [f'{split}: images/{split}' for split in splits]
    names = ''.join(f'  {i}: {name}\n' for i, name in enumerate(NAMES))
    root.mkdir(parents=True, exist_ok=True)
    (root / 'data.yaml').write_text('\n'.join(lines) + f'\nnames:\n{names}')
    for split, pictures in splits.items():
        (root / 'labels' / split).mkdir(parents=True)
        for picture in pictures:
            draw(root / 'images' / split / f'{picture.name}.png', picture.width, picture.height)
            text = ''
            for thing in picture.things:
                cx, cy = thing.x + thing.w / 2, thing.y + thing.h / 2
                text += (
                    f'{NAMES.index(thing.name)} {cx / picture.width!r} {cy / picture.height!r} '
                    f'{thing.w / picture.width!r} {thing.h / picture.height!r}\n'
                )
            if picture.things:  # background has no file
                (root / 'labels' / split / f'{picture.name}.txt').write_text(text)


def voc(root: Path, splits: dict[str, Sequence[Picture]], first_pixel: int = 0) -> None:
    for folder in ('Annotations', 'ImageSets/Main', 'JPEGImages'):
        (root / folder).mkdir(parents=True)
    for split, pictures in splits.items():
        names = [picture.name for picture in pictures]
        (root / 'ImageSets' / 'Main' / f'{split}.txt').write_text('\n'.join(names) + '\n')
        for picture in pictures:
            draw(root / 'JPEGImages' / f'{picture.name}.png', picture.width, picture.height)
            top = ET.Element('annotation')
            ET.SubElement(top, 'filename').text = f'{picture.name}.png'
            source = ET.SubElement(top, 'source')
            own = 'The VOC2007 Database' if first_pixel else 'Unknown'
            ET.SubElement(source, 'database').text = own
            size = ET.SubElement(top, 'size')
            ET.SubElement(size, 'width').text = str(picture.width)
            ET.SubElement(size, 'height').text = str(picture.height)
            for thing in picture.things:
                item = ET.SubElement(top, 'object')
                ET.SubElement(item, 'name').text = thing.name
                ET.SubElement(item, 'difficult').text = str(int(thing.ignored))
                box = ET.SubElement(item, 'bndbox')
                corners = dict(xmin=thing.x, ymin=thing.y)
                corners |= dict(xmax=thing.x + thing.w, ymax=thing.y + thing.h)
                for side, value in corners.items():
                    # The last pixel of a box that ends at 9.0 is pixel 8 from 0, and 9 from 1
                    at = value + first_pixel if side.endswith('min') else value
                    ET.SubElement(box, side).text = repr(at)
            ET.ElementTree(top).write(root / 'Annotations' / f'{picture.name}.xml')


def labelme(root: Path, splits: dict[str, Sequence[Picture]]) -> None:
    root.mkdir(parents=True, exist_ok=True)
    (root / 'labels.txt').write_text('\n'.join(['__ignore__', '_background_', *NAMES]))
    for split, pictures in splits.items():
        for number, picture in enumerate(pictures):
            path = root / split / f'{picture.name}.png'
            draw(path, picture.width, picture.height)
            shapes = []
            for thing in picture.things:
                corners = [[thing.x, thing.y], [thing.x + thing.w, thing.y + thing.h]]
                kind = ('rectangle', 'polygon')[number % 2]
                if kind == 'polygon':
                    (x1, y1), (x2, y2) = corners
                    corners = [[x1, (y1 + y2) / 2], [x2, y1], [(x1 + x2) / 2, y2]]
                shapes.append(
                    dict(
                        label=thing.name,
                        points=corners[:: (-1, 1)[number % 2]],
                        group_id=None,
                        shape_type=kind,
                        flags=dict(ignore=True) if thing.ignored else {},
                    )
                )
            content = dict(
                version='5.4.1',
                flags={},
                shapes=shapes,
                imagePath=path.name,
                imageData='aGVsbG8=',
                imageHeight=picture.height,
                imageWidth=picture.width,
            )
            path.with_suffix('.json').write_text(json.dumps(content))


def coco(
    path: Path,
    folder: Path,
    pictures: Sequence[Picture],
    categories: Sequence[dict],
    mark: str = 'iscrowd',
    prefix: str = '',
) -> None:
    """A COCO file and its images."""
    images, annotations = [], []
    for i, picture in enumerate(pictures, 10):
        draw(folder / prefix / f'{picture.name}.png', picture.width, picture.height)
        name = f'{prefix}{picture.name}.png'
        images.append(dict(id=i, file_name=name, width=picture.width, height=picture.height))
        for thing in picture.things:
            (category,) = (c['id'] for c in categories if c['name'] == thing.name)
            annotations.append(
                {
                    'id': len(annotations),
                    'image_id': i,
                    'category_id': category,
                    'bbox': [thing.x, thing.y, thing.w, thing.h],
                    'area': thing.w * thing.h,
                    'iscrowd': 0,
                    **({mark: 1} if thing.ignored else {}),
                }
            )
    path.parent.mkdir(parents=True, exist_ok=True)
    content = dict(images=images, annotations=annotations, categories=list(categories))
    path.write_text(json.dumps(content))


def cvat(root: Path, splits: dict[str, Sequence[Picture]]) -> None:
    categories = [dict(id=i, name=name, supercategory='') for i, name in enumerate(NAMES, 1)]
    for split, pictures in splits.items():
        path = root / 'annotations' / f'instances_{split}.json'
        coco(path, root / 'images' / split, pictures, categories, mark='ignore')


def ai_tod(root: Path, splits: dict[str, Sequence[Picture]]) -> None:
    categories = [dict(id=i, name=name) for i, name in enumerate(NAMES, 1)]
    for split, pictures in splits.items():
        path = root / 'annotations' / f'aitod_{split}_v1.json'
        coco(path, root / 'images' / split, pictures, categories)
