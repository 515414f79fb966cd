"""Where a YOLO data set has its classes, its splits and its label files."""

from __future__ import annotations

import os
from collections import defaultdict
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import yaml

from abc_mmdet.errors import UserError

from .folder import Folder

NOT_LABELS = (
    'classes.txt',
    'labels.txt',
    'train.txt',
    'val.txt',
    'valid.txt',
    'test.txt',
    'trainval.txt',
    'requirements.txt',
    'license.txt',
    'readme.txt',
    'readme.dataset.txt',
    'readme.roboflow.txt',
)
"""Text files that lie among labels and are none."""

_LISTS = ('classes.txt', 'obj.names')
_SPLITS = ('train', 'val', 'test')


@dataclass(frozen=True)
class Layout:
    """What is where.

    Args:
        classes: names, by their numbers.
        source: file that has them, for messages.
        splits: image files by split.
        num_keypoints: numbers of keypoints in each line, behind the box.
    """

    classes: tuple[str, ...]
    source: str
    splits: dict[str, list[Path]]
    num_keypoints: int = 0

    @classmethod
    def of(cls, folder: Folder) -> Layout:
        """Find out.

        Raises:
            UserError: no list of classes, or one that cannot be used.
        """
        names = find_names(folder)
        if names is None:
            raise UserError(
                f'{folder.root} has label files of YOLO, but no list of their classes: add a '
                'data.yaml with train, val and names, or a classes.txt with a name a line.'
            )
        if names.suffix in ('.yaml', '.yml'):
            return _of_yaml(folder, names)
        classes = [line.strip() for line in folder.text(names).splitlines()]
        while classes and not classes[-1]:
            classes.pop()
        splits = defaultdict(list)
        for path in folder.images:
            splits[folder.split_of(path)].append(path)
        return cls(_checked(classes, names), folder.short(names), dict(splits))


def label_of(folder: Folder, image: Path) -> Path | None:
    """The label file of an image: the last ``images`` becomes ``labels``, or it lies beside it."""
    parts = list(image.relative_to(folder.root).parts)
    places = [i for i, part in enumerate(parts[:-1]) if part == 'images']
    candidates = [image.with_suffix('.txt')]
    if places:
        parts[places[-1]] = 'labels'
        candidates.insert(0, folder.root.joinpath(*parts).with_suffix('.txt'))
    return next((path for path in candidates if path.is_file()), None)


def find_names(folder: Folder) -> Path | None:
    """The file that lists the classes; ``data.yaml`` before others.

    Raises:
        UserError: several that could be it.
    """
    found = [path for path in folder.with_suffix('.yaml', '.yml') if _describes_data(path)]
    found = [path for path in found if path.stem in ('data', 'dataset')] or found
    found = [path for path in found if path.parent == folder.root] or found
    if not found:
        found = [path for path in folder.files if path.name in _LISTS]
        if len({path.read_bytes() for path in found}) == 1:
            found = found[:1]
    if len(found) > 1:
        listed = ', '.join(folder.short(path) for path in found[:5])
        raise UserError(
            f'{folder.root} has several lists of classes: {listed}. Give the folder of one data '
            'set, or leave one list.'
        )
    return found[0] if found else None


def _describes_data(path: Path) -> bool:
    try:
        content = yaml.safe_load(path.read_text(encoding='utf-8-sig'))
    except (yaml.YAMLError, OSError, UnicodeDecodeError, RecursionError):
        return path.stem == 'data'
    return isinstance(content, dict) and 'names' in content and bool({*_SPLITS} & {*content})


def _of_yaml(folder: Folder, path: Path) -> Layout:
    short = folder.short(path)
    try:
        content = yaml.safe_load(path.read_text(encoding='utf-8-sig'))
    except (yaml.YAMLError, OSError, UnicodeDecodeError, RecursionError) as error:
        raise UserError(f'{path} cannot be read as YAML: {error}') from None
    if not isinstance(content, dict):
        raise UserError(f'{path} is not a list of settings (train, val, names).')
    classes = _checked(_names(content, path), path)
    count = content.get('nc')
    if count is not None and count != len(classes):
        raise UserError(
            f'{path}: nc is {count!r}, but there are {len(classes)} names. Give both the same '
            'number of classes, or leave nc out.'
        )
    splits = {}
    for split in _SPLITS:
        given = content.get(split) or (content.get('valid') if split == 'val' else None)
        if given:
            splits[split] = _images(folder, content, split, given, short)
    return Layout(classes, short, splits, _num_values(content.get('kpt_shape')))


def _num_values(shape: Any) -> int:
    """How many numbers a line has for its keypoints, such as 51 for ``[17, 3]``."""
    is_shape = isinstance(shape, list) and all(isinstance(n, int) and n > 0 for n in shape)
    return prod(shape) if is_shape else 0


def _names(content: dict, path: Path) -> list[Any]:
    names = content.get('names')
    if isinstance(names, dict):
        numbers = [key if isinstance(key, int) else _whole(key) for key in names]
        if sorted(numbers) != list(range(len(names))):
            raise UserError(
                f'{path}: names has the numbers {list(names)}; classes are numbered 0, 1, 2, ... '
                'without a gap.'
            )
        by_number = dict(zip(numbers, names.values(), strict=True))
        return [by_number[i] for i in range(len(names))]
    if not isinstance(names, list):
        raise UserError(f'{path}: names is {names!r}; it has to be a list, or number: name.')
    return names


def _whole(key: object) -> int:
    return int(key) if isinstance(key, str) and key.isdecimal() else -1


def _checked(names: list[Any], path: Path) -> tuple[str, ...]:
    """Names that can be told apart."""
    for i, name in enumerate(names):
        if isinstance(name, bool) or name is None or str(name).strip() == '':
            raise UserError(
                f'{path}: the name of class {i} is {name!r}; write it in quotes, as YAML takes '
                'yes, no, on and off for something else.'
            )
    texts = [str(name).strip() for name in names]
    twice = sorted({name for name in texts if texts.count(name) > 1})
    if twice or not texts:
        raise UserError(
            f'{path} has {"no class" if not texts else f"the class {twice[0]!r} twice"}: give each '
            'number a name of its own.'
        )
    return tuple(texts)


def _images(folder: Folder, content: dict, split: str, given: Any, source: str) -> list[Path]:
    """Image files of a split: those below folders, or of lists of them."""
    found: list[Path] = []
    for entry in given if isinstance(given, list) else [given]:
        place = _inside(folder, content.get('path'), entry)
        if place is None:
            folder.problems.add(
                f'entries of {source} name nothing in this folder: give the folder above all '
                'images and labels, and paths from there',
                f'{split}: {entry}',
            )
        elif place.is_dir():
            found += [path for path in folder.images if place in path.parents]
        else:
            found += _listed(folder, place, split)
    if not found and not folder.problems:
        folder.problems.add('splits have no image', f'{source}: {split}: {given}')
    return list(dict.fromkeys(found))


def _inside(folder: Folder, path: Any, entry: Any) -> Path | None:
    """Where an entry of ``data.yaml`` leads, in the ways Ultralytics and Roboflow mean it."""
    if not isinstance(entry, str) or not entry:
        return None
    starts = [folder.root]
    if isinstance(path, str) and path:
        starts.insert(0, folder.root / path)
    # Roboflow's "../train/images" is seen from where Ultralytics once had its data sets
    entries = [entry, entry.removeprefix('../')]
    for start in starts:
        for name in entries:
            place, root = Path(os.path.abspath(start / name)), Path(os.path.abspath(folder.root))
            if (place == root or root in place.parents) and place.exists():
                return folder.root / place.relative_to(root)
    return None


def _listed(folder: Folder, path: Path, split: str) -> list[Path]:
    found = []
    for number, line in enumerate(folder.text(path).splitlines(), 1):
        name = line.strip()
        if not name:
            continue
        image = folder.find_image(name.removeprefix('./'), [path.parent, folder.root])
        if image is None:
            folder.problems.add(
                'lists name images that are not in the folder, or are there under several paths',
                f'{folder.short(path)}:{number}: {name}',
            )
        else:
            found.append(image)
    return found
