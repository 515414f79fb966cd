"""Synthetic traffic on disk, in COCO format: ``{train,val}/*.jpg``, ``annotations/*.json``."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from .folder import SPLITS, BaseRecipe, prepare_folder
from .road_users import CLASSES, SMALL_CLASSES
from .traffic_scene import TrafficScene

GENERATOR = 'abc_mmdet synthetic traffic'
VERSION = '2.0'
"""Changes whenever equal arguments no longer give equal images."""

MIN_VISIBLE = 0.3
"""A participant of which others leave less gets no box."""

MIN_SIDE = 4.0
"""Pixels; what is thinner in the image gets no box."""

FRAMES_PER_SCENE = 3
_SECONDS_BETWEEN_FRAMES = 7.0  # enough for most of the traffic to have changed
_NOISE = 3.0  # grey levels


@dataclass(frozen=True)
class Recipe(BaseRecipe):
    """All that decides what a data set of images contains; the fields of :class:`BaseRecipe`.

    Examples:
        >>> Recipe(train=30, val=6).width
        640
    """

    train: int = 600
    val: int = 100
    width: int = 640
    height: int = 384
    seed: int = 0


def prepare(
    out_dir: Path, recipe: Recipe, overwrite: bool = False, progress: Callable[[str], None] = print
) -> bool:
    """Makes sure that ``out_dir`` holds the data set of this recipe; see ``prepare_folder``."""

    def write(folder: Path) -> None:
        (folder / 'annotations').mkdir()
        for split in SPLITS:
            write_split(folder, split, recipe)
            progress(f'{getattr(recipe, split)} {split} images drawn')

    def complete(folder: Path) -> bool:
        return is_complete(folder, recipe)

    info = recipe.info(GENERATOR, VERSION)
    return prepare_folder(out_dir, info, _read_info, complete, write, overwrite, progress)


def is_complete(out_dir: Path, recipe: Recipe) -> bool:
    """Whether the folder holds exactly this data set, with all its images."""
    for split in SPLITS:
        try:
            content = json.loads((out_dir / 'annotations' / f'{split}.json').read_text())
            there = set(os.listdir(out_dir / split))
        except (OSError, ValueError):
            return False
        if content.get('info') != recipe.info(GENERATOR, VERSION):
            return False
        if not {image['file_name'] for image in content['images']} <= there:
            return False
    return True


def _read_info(out_dir: Path) -> dict:
    for split in SPLITS:
        try:
            info = json.loads((out_dir / 'annotations' / f'{split}.json').read_text())['info']
            if isinstance(info, dict):
                return info
        except (OSError, ValueError, KeyError, TypeError):
            continue
    return {}


def write_split(folder: Path, split: str, recipe: Recipe) -> None:
    """Draws the images of one split and writes its annotation file."""
    (folder / split).mkdir()
    images: list[dict] = []
    annotations: list[dict] = []
    for number in range(getattr(recipe, split)):
        street, frame = divmod(number, FRAMES_PER_SCENE)
        if frame == 0:
            seed = (recipe.seed, SPLITS.index(split), street)
            scene = TrafficScene(seed, (recipe.width, recipe.height), _classes_of(street))
            noise = np.random.default_rng((*seed, 1))
        sprites = scene.sprites_at(frame * _SECONDS_BETWEEN_FRAMES)
        grain = noise.standard_normal((recipe.height, recipe.width, 1), np.float32)
        image = np.clip(scene.draw(sprites) + _NOISE * grain + 0.5, 0, 255).astype(np.uint8)
        ok, data = cv2.imencode('.jpg', image, [cv2.IMWRITE_JPEG_QUALITY, 92])
        assert ok
        name = f'{number:06d}.jpg'
        (folder / split / name).write_bytes(data.tobytes())
        images.append(dict(id=number, file_name=name, width=recipe.width, height=recipe.height))
        for item in scene.describe(sprites):
            x1, y1, x2, y2 = (round(edge, 2) for edge in item.box)
            width, height = round(x2 - x1, 2), round(y2 - y1, 2)
            if item.visible >= MIN_VISIBLE and min(width, height) >= MIN_SIDE:
                annotations.append(
                    dict(
                        id=len(annotations) + 1, image_id=number, category_id=item.class_id + 1,
                        bbox=[x1, y1, width, height], area=round(width * height, 2), iscrowd=0,
                    )
                )  # fmt: skip
    # MMDetection's coco_error_analysis.py wants a supercategory
    categories = [dict(id=i, name=n, supercategory=n) for i, n in enumerate(CLASSES, start=1)]
    content = dict(
        info=recipe.info(GENERATOR, VERSION),
        images=images,
        annotations=annotations,
        categories=categories,
    )
    (folder / 'annotations' / f'{split}.json').write_text(json.dumps(content))


def _classes_of(street: int) -> tuple[str, ...]:
    """Most streets have all traffic; one in ten is empty and one in ten has no small objects."""
    if street % 10 == 4:
        return tuple(name for name in CLASSES if name not in SMALL_CLASSES)
    return () if street % 10 == 9 else CLASSES
