"""Synthetic traffic frames on disk, in COCO format.

The layout is ``{train,val}/*.jpg`` and ``annotations/{train,val}.json``.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import cv2
import numpy as np

from abc_mmdet.errors import UserError

from .participants import CLASSES, SMALL_CLASSES
from .prepared_folder import prepare_folder
from .traffic_scene import TrafficScene

GENERATOR = 'abc_mmdet synthetic traffic'
VERSION = '1.0'
"""Changes whenever equal arguments no longer give equal images."""

MIN_VISIBLE = 0.3
"""A participant of which others and haze leave less gets no box."""

MIN_SIDE = 4.0
"""Pixels; what is thinner in the frame gets no box."""

FRAMES_PER_SCENE = 3
_SECONDS_BETWEEN_FRAMES = 7.0  # enough for most of the traffic to have changed
_NOISE = 3.0  # grey levels
_SPLITS = ('train', 'val')


@dataclass(frozen=True)
class Recipe:
    """All that decides what a data set contains.

    Args:
        train, val: number of images; the two splits show different streets.
        width, height: of the frames, pixels.
        seed: of everything random.

    Raises:
        UserError: for values that make no data set.
    """

    train: int = 600
    val: int = 100
    width: int = 640
    height: int = 384
    seed: int = 0

    def __post_init__(self) -> None:
        for name in _SPLITS:
            if getattr(self, name) < 1:
                raise UserError(f'--{name} {getattr(self, name)}: at least one image is needed.')
        for side in (self.width, self.height):
            if not 64 <= side <= 4096:
                raise UserError(
                    f'--size {self.width}x{self.height}: both sides must be 64 to 4096 pixels.'
                )
        if self.seed < 0:
            raise UserError(f'--seed {self.seed}: it must not be negative.')

    @property
    def info(self) -> dict:
        """The ``info`` block of the annotation files."""
        return dict(description=GENERATOR, version=VERSION, arguments=asdict(self))


def prepare(
    out_dir: Path, recipe: Recipe, overwrite: bool = False, progress: Callable[[str], None] = print
) -> bool:
    """Makes sure that ``out_dir`` holds the data set of this recipe.

    Args:
        overwrite: replace another synthetic data set (nothing else is ever replaced).
        progress: is told what happens, one line at a time.

    Returns:
        True if it was written, False if it was there already.

    Raises:
        UserError: ``out_dir`` holds something else, or cannot be written.
    """

    def write(folder: Path) -> None:
        (folder / 'annotations').mkdir()
        for split in _SPLITS:
            write_split(folder, split, recipe)
            progress(f'{getattr(recipe, split)} {split} images drawn')

    return prepare_folder(
        out_dir,
        recipe.info,
        _recorded_info,
        lambda folder: is_complete(folder, recipe),
        write,
        overwrite,
        progress,
    )


def is_complete(out_dir: Path, recipe: Recipe) -> bool:
    """Whether the folder holds exactly this data set, with all its images."""
    for split in _SPLITS:
        try:
            content = json.loads((out_dir / 'annotations' / f'{split}.json').read_text())
            there = set(os.listdir(out_dir / split))
        except (OSError, ValueError):
            return False
        if content.get('info') != recipe.info:
            return False
        if not {image['file_name'] for image in content['images']} <= there:
            return False
    return True


def _recorded_info(out_dir: Path) -> dict:
    for split in _SPLITS:
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
            seed = (recipe.seed, _SPLITS.index(split), street)
            scene = TrafficScene(seed, (recipe.width, recipe.height), _classes_of(street))
            noise = np.random.default_rng((*seed, 1))
        t = frame * _SECONDS_BETWEEN_FRAMES
        name = f'{number:06d}.jpg'
        sprites = scene.sprites_at(t)
        grain = noise.standard_normal((recipe.height, recipe.width, 1), np.float32)
        image = scene.draw(sprites) + _NOISE * grain
        image = np.clip(image + 0.5, 0, 255).astype(np.uint8)
        ok, data = cv2.imencode('.jpg', image, [cv2.IMWRITE_JPEG_QUALITY, 92])
        assert ok
        (folder / split / name).write_bytes(data.tobytes())
        images.append(dict(id=number, file_name=name, width=recipe.width, height=recipe.height))
        for item in scene.describe(sprites):
            x1, y1, x2, y2 = (round(edge, 2) for edge in item.box)
            if item.visible < MIN_VISIBLE or min(x2 - x1, y2 - y1) < MIN_SIDE:
                continue
            annotations.append(
                dict(
                    id=len(annotations) + 1,
                    image_id=number,
                    category_id=item.class_id + 1,
                    bbox=[x1, y1, round(x2 - x1, 2), round(y2 - y1, 2)],
                    area=round((x2 - x1) * (y2 - y1), 2),
                    iscrowd=0,
                )
            )
    content = dict(
        info=recipe.info,
        images=images,
        annotations=annotations,
        categories=[
            # MMDetection's coco_error_analysis.py wants a supercategory
            dict(id=i, name=name, supercategory=name)
            for i, name in enumerate(CLASSES, start=1)
        ],
    )
    (folder / 'annotations' / f'{split}.json').write_text(json.dumps(content))


def _classes_of(street: int) -> tuple[str, ...]:
    """Most streets have all traffic; one in ten is empty and one in ten has no small objects."""
    if street % 10 == 4:
        return tuple(name for name in CLASSES if name not in SMALL_CLASSES)
    return () if street % 10 == 9 else CLASSES
