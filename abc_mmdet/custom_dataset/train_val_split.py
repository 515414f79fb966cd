"""One annotation file as two: for training and for validation."""

from __future__ import annotations

import json
import random
import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from abc_mmdet.datasets.annotations.coco_file import CocoFile
from abc_mmdet.errors import UserError
from abc_mmdet.utils.atomic_write import atomic_write

_NUMBER = re.compile(r'[-_ .]?\d+$')


@dataclass(frozen=True)
class Shares:
    """Two annotation files, and how they came about in a sentence."""

    train: Path
    val: Path
    why: str


def split_file(path: str, share: float, train: Path, val: Path) -> Shares:
    """Write two files in place of one; images of one sequence stay together.

    Neighbouring frames of a video show the same objects: with some of them in training, validation
    measures memory. So whole folders go to one side; where all images lie in one folder, whole
    sequences, which are names that differ in their last number alone; and where names tell neither,
    single images, drawn by lot (always the same ones).

    Args:
        path: in COCO format.
        share: of the images that validation gets, about.
        train, val: the files to write.

    Raises:
        UserError: a share that is none, a file that is not COCO's or has less than two images.

    Examples:
        >>> split_file('all.json', 0.2, Path('train.json'), Path('val.json'))  # doctest: +SKIP
    """
    if not 0 < share < 1:
        raise UserError(f'--val-share {share:g}: give a share between 0 and 1, such as 0.2.')
    file = CocoFile.read(path)
    names = [image['file_name'] for image in file.images]
    if len(names) < 2:
        raise UserError(f'{path} has {len(names)} images, too few for --val-share.')
    groups, kind = group_names(names)
    chosen = _choose(groups, share * len(names))
    in_val = {file.images[i]['id'] for i in chosen}
    content = json.loads(Path(path).read_bytes())
    for out, is_val in ((train, False), (val, True)):
        part = {
            **content,
            'images': [i for i in content['images'] if (i['id'] in in_val) == is_val],
            'annotations': [
                a for a in content.get('annotations', []) if (a['image_id'] in in_val) == is_val
            ],
        }
        atomic_write(out, json.dumps(part).encode())
    why = f'{len(chosen)} of {len(names)} images, {kind}'
    return Shares(train, val, why)


def group_names(names: Sequence[str]) -> tuple[list[list[int]], str]:
    """Places of the names that belong together, and what holds them together."""
    for key, kind in ((_folder, 'whole folders'), (_sequence, 'whole sequences, by their names')):
        groups = defaultdict(list)
        for i, name in enumerate(names):
            groups[key(name)].append(i)
        if 1 < len(groups) <= len(names) / 2:
            return [groups[key] for key in sorted(groups)], kind
    lot = 'drawn by lot, as names tell no folders or sequences: frames of one video may be in both'
    return [[i] for i in range(len(names))], lot


def _folder(name: str) -> str:
    return str(PurePosixPath(name).parent)


def _sequence(name: str) -> str:
    return _NUMBER.sub('', PurePosixPath(name).stem)


def _choose(groups: list[list[int]], wanted: float) -> set[int]:
    """Groups in a fixed random order, each if it brings the number nearer; never none or all."""
    order = list(groups)
    random.Random(0).shuffle(order)
    chosen: list[int] = []
    for group in order:
        if abs(len(chosen) + len(group) - wanted) < abs(len(chosen) - wanted):
            chosen += group
    total = sum(map(len, groups))
    if not chosen:
        chosen = list(sorted(groups, key=len)[0])
    if len(chosen) == total:
        chosen = [i for group in order[1:] for i in group]
    return set(chosen)
