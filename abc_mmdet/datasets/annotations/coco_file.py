"""An annotation file in COCO format, with all its mistakes, and where its file names lead."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import PurePath
from typing import Any

import numpy as np
from mmengine.fileio import get_text

from abc_mmdet.errors import UserError, backslash_hint
from abc_mmdet.utils.image_files import max_pixels

from .other_formats import check_format

_LARGEST = 1e15
"""JSON bounds no number, and 10**400 cannot be computed with; no size or area is as large."""


def _is_id(value: Any) -> bool:
    # 1.0 is the id 1, as tables with gaps write it; true would be 1, too, without a word
    is_whole = isinstance(value, float) and value.is_integer()
    # 10**400 is a number in JSON, and none to COCO's API
    is_id = isinstance(value, str) or (isinstance(value, int) and abs(value) < 2**63)
    return (is_id and not isinstance(value, bool)) or is_whole


def _is_name(value: Any) -> bool:
    return isinstance(value, str) and value != ''


def _is_number(value: Any) -> bool:
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return is_number and abs(value) <= _LARGEST and math.isfinite(value)


def _is_side(value: Any) -> bool:
    return _is_number(value) and 1 <= value <= 2**20  # as OpenCV


def _is_box(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 4 and all(map(_is_number, value))


_FIELDS: dict[str, dict[str, Callable[[Any], bool]]] = {
    'images': dict(id=_is_id, file_name=_is_name, width=_is_side, height=_is_side),
    'annotations': dict(
        id=_is_id, image_id=_is_id, category_id=_is_id, bbox=_is_box, area=_is_number
    ),
    'categories': dict(id=_is_id, name=_is_name),
}
"""What MMDetection reads of each entry."""


@dataclass(frozen=True)
class CocoFile:
    """The entries of an annotation file that can be read, and those that cannot.

    Args:
        path: of the file.
        images, annotations, categories: entries that have every field MMDetection reads, in the
            order of the file.
        malformed: what is wrong with the other entries.

    Examples:
        >>> with open('train.json', 'w') as file:
        ...     _ = file.write('{"images": [], "annotations": [], "categories": []}')
        >>> CocoFile.read('train.json').names
        []
    """

    path: str
    images: list[dict]
    annotations: list[dict]
    categories: list[dict]
    malformed: list[str]

    @classmethod
    def read(cls, path: str) -> CocoFile:
        """Read a file.

        Raises:
            UserError: there is no such file, or it is not JSON or not COCO's.
        """
        if os.path.isdir(path):
            check_format(path)
        try:
            content = json.loads(get_text(path))
        except OSError as error:
            raise UserError(
                f'{path}: {error.strerror or error}. Give a COCO file.{backslash_hint(path)}'
            ) from None
        except (ValueError, RecursionError) as error:
            check_format(path)
            raise UserError(
                f'{path} is not JSON, or was cut off: {error}. Give an annotation file in COCO '
                'format.'
            ) from None
        lists = content if isinstance(content, dict) else {}
        # Files of a test set that is not public have no annotations
        entries = {'annotations': [], **{k: v for k, v in lists.items() if k in _FIELDS}}
        missing = [name for name in _FIELDS if not isinstance(entries.get(name), list)]
        if missing:
            raise UserError(
                f'{path} has no list of {" and none of ".join(missing)}: it is not in COCO format. '
                'A COCO file is an object with the lists images, annotations and categories.'
            )
        malformed: list[str] = []
        kept = {
            name: [e for i, e in enumerate(entries[name]) if _is_whole(name, i, e, malformed)]
            for name in _FIELDS
        }
        return cls(path, malformed=malformed, **kept)

    @property
    def names(self) -> list[str]:
        """Names of the categories in the order of the file."""
        return [category['name'] for category in self.categories]

    @cached_property
    def boxes(self) -> BoxTable:
        """All annotations as arrays."""
        return BoxTable.of(self)

    @cached_property
    def empty_images(self) -> list[dict]:
        """Images without a usable box."""
        filled = set(self.boxes.image[self.boxes.used].tolist())
        return [image for i, image in enumerate(self.images) if i not in filled]

    def describe(self, row: int) -> str:
        """An annotation by its number, as a person would look it up."""
        annotation, image = self.annotations[row], self.boxes.image[row]
        name = self.images[image]['file_name'] if image >= 0 else 'no image'
        return f'id {annotation["id"]} in {name}: bbox {annotation["bbox"]}'


@dataclass(frozen=True)
class BoxTable:
    """Annotations as arrays of the length of ``annotations``.

    Attributes:
        xyxy: ``(N, 4)`` corners in pixels of the image file.
        image: place of its image in ``images``; -1 if there is none.
        category: place of its category in ``categories``; -1 if there is none.
        area: as the file says.
        image_size: ``(N, 2)`` width and height as the file says; 0 without an image.
        ignored: crowds, and what is marked as ignored.

    Examples:
        >>> image = dict(id=1, file_name='a.png', width=64, height=48)
        >>> box = dict(id=1, image_id=1, category_id=3, bbox=[4, 4, 10, 5], area=50)
        >>> file = CocoFile('train.json', [image], [box], [dict(id=3, name='bird')], [])
        >>> BoxTable.of(file).xyxy.tolist()
        [[4.0, 4.0, 14.0, 9.0]]
    """

    xyxy: np.ndarray
    image: np.ndarray
    category: np.ndarray
    area: np.ndarray
    image_size: np.ndarray
    ignored: np.ndarray

    @classmethod
    def of(cls, file: CocoFile) -> BoxTable:
        """The table of a file; of several entries with one id the last counts, as in COCO's API."""
        images = {image['id']: i for i, image in enumerate(file.images)}
        categories = {category['id']: i for i, category in enumerate(file.categories)}
        annotations = file.annotations
        xywh = np.array([a['bbox'] for a in annotations], np.float64).reshape(-1, 4)
        image = np.array([images.get(a['image_id'], -1) for a in annotations], np.int64)
        sizes = np.array([(i['width'], i['height']) for i in file.images] + [(0, 0)], np.float64)
        return cls(
            np.concatenate([xywh[:, :2], xywh[:, :2] + xywh[:, 2:]], axis=1),
            image,
            np.array([categories.get(a['category_id'], -1) for a in annotations], np.int64),
            np.array([a['area'] for a in annotations], np.float64),
            sizes[image],
            np.array([bool(a.get('iscrowd') or a.get('ignore')) for a in annotations], bool),
        )

    @cached_property
    def sides(self) -> np.ndarray:
        """``(N, 2)`` width and height."""
        return self.xyxy[:, 2:] - self.xyxy[:, :2]

    @cached_property
    def inside(self) -> np.ndarray:
        """``(N, 2)`` width and height of the part inside the image; 0 outside."""
        low = np.maximum(self.xyxy[:, :2], 0)
        return np.maximum(np.minimum(self.xyxy[:, 2:], self.image_size) - low, 0)

    @cached_property
    def used(self) -> np.ndarray:
        """Whether ``CocoDataset`` makes a ground truth of it, if its class is wanted."""
        real = (self.sides >= 1).all(1) & (self.area > 0) & (self.inside.prod(1) > 0)
        return real & ~self.ignored & (self.image >= 0) & (self.category >= 0)


def _is_whole(kind: str, number: int, entry: Any, malformed: list[str]) -> bool:
    wrong = sorted(_wrong_fields(kind, entry))
    if wrong:
        name = f' (id {entry["id"]})' if isinstance(entry, dict) and 'id' in entry else ''
        malformed.append(f'{kind}[{number}]{name}: {", ".join(wrong)}')
    return not wrong


def _wrong_fields(kind: str, entry: Any) -> Iterator[str]:
    if not isinstance(entry, dict):
        yield 'no object'
        return
    for name, is_right in _FIELDS[kind].items():
        if name not in entry:
            yield f'no {name}'
        elif not is_right(entry[name]):
            yield f'{name} {entry[name]!r}'
    width, height = entry.get('width', 0), entry.get('height', 0)
    if kind == 'images' and _is_side(width) and _is_side(height) and width * height > max_pixels():
        yield f'width {width}, height {height}'
    crowd = entry.get('iscrowd', 0)
    if kind == 'annotations' and not (isinstance(crowd, bool) or _is_number(crowd)):
        yield f'iscrowd {crowd!r}'


def leaves(folder: str, name: str) -> bool:
    """Whether a file name of an annotation file leads out of the folder of its images.

    Such are paths with ``..``, addresses, and absolute paths that do not begin with the folder.
    Names are looked at, not the disk: a link that lies in the folder was put there by its owner,
    and its target may be anywhere.

    Args:
        folder: of the images; empty for the working directory.
        name: ``file_name`` of an image.
    """
    if '://' in name or '\0' in name or '..' in PurePath(name).parts:
        return True
    if not os.path.isabs(name):
        return False
    base = os.path.abspath(folder or '.')
    return '://' in folder or os.path.commonpath([base, os.path.normpath(name)]) != base


def image_path(folder: str, name: str, ann_file: str) -> str:
    """Path of an image.

    Raises:
        UserError: the name leads out of the folder.
    """
    if leaves(folder, name):
        raise UserError(
            f'{ann_file}: file_name {name!r} leads out of the image folder {folder or "."}, so it '
            f'was not opened. {HOW_TO_STAY}'
        )
    return os.path.join(folder, name)


HOW_TO_STAY = (
    'If these are your images, name a folder above all of them (data_prefix.img, for new_config.py '
    '--images), relative to which the names have no "..".'
)
