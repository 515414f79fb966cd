"""Small data sets in COCO format, and what can be wrong with them."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from abc_mmdet.custom_dataset import CocoFile

NAMES = ('car', 'van', 'person')
WIDTH, HEIGHT = 96, 64


def content(num_images: int = 4, first: int = 0, prefix: str = 'image') -> dict[str, Any]:
    """A file without a mistake: every class in every image, persons of 6 x 6 pixels."""
    images, annotations = [], []
    for i in range(first, first + num_images):
        images.append(dict(id=i, file_name=f'{prefix}{i}.png', width=WIDTH, height=HEIGHT))
        for category, side in enumerate((40, 30, 6), 1):
            box = [3.0 + i, 5.0 * category, side, side]
            annotations.append(
                dict(
                    id=len(annotations),
                    image_id=i,
                    category_id=category,
                    bbox=box,
                    area=side * side,
                    iscrowd=0,
                )
            )
    categories = [dict(id=i, name=name) for i, name in enumerate(NAMES, 1)]
    return dict(images=images, annotations=annotations, categories=categories)


def draw(folder: Path, entries: dict[str, Any], seed: int = 0) -> None:
    """The image files of a content, all of them different."""
    folder.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(seed)
    for image in entries['images']:
        pixels = noise.integers(0, 255, (image['height'], image['width'], 3), np.uint8)
        assert cv2.imwrite(str(folder / image['file_name']), pixels)


@pytest.fixture
def coco(tmp_path: Path) -> Callable[..., CocoFile]:
    """Write a content to a file and read it."""

    def make(entries: dict[str, Any] | None = None) -> CocoFile:
        path = tmp_path / 'annotations.json'
        path.write_text(json.dumps(content() if entries is None else entries))
        return CocoFile.read(str(path))

    return make


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A folder with images and annotation files of training and validation."""
    for split, first in (('train', 0), ('val', 10)):
        entries = content(first=first)
        draw(tmp_path / 'data' / 'images', entries, seed=first)
        (tmp_path / 'data' / f'{split}.json').write_text(json.dumps(entries))
    return tmp_path / 'data'


def change(path: Path, how: Callable[[dict[str, Any]], Any]) -> None:
    """Change an annotation file on disk."""
    entries = json.loads(path.read_text())
    how(entries)
    path.write_text(json.dumps(entries))
