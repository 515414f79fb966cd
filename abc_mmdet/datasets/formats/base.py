"""What a reader of a format has, and what it makes of a data set."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

from .folder import Folder


@dataclass(frozen=True)
class Box:
    """One labelled box.

    Args:
        xywh: left, top, width and height in pixels of the image; the first pixel is from 0 to 1.
        label: name of its class; None for a region that counts for no class.
        ignored: why it counts neither as object nor as background, such as ``'difficult'``; empty
            for an object. A box without a label is always ignored.
        area: of the object in pixels², where the data set gives one; None for that of the box.

    Raises:
        ValueError: no label, and no reason to ignore it.

    Examples:
        >>> Box((10, 20, 8, 4), 'car').area is None
        True
    """

    xywh: tuple[float, float, float, float]
    label: str | None
    ignored: str = ''
    area: float | None = None

    def __post_init__(self) -> None:
        if self.label is None and not self.ignored:
            raise ValueError('a box without a label is a region to ignore: say why')


@dataclass(frozen=True)
class ImageRecord:
    """An image file with its boxes.

    Args:
        path: of the file.
        size: width and height in pixels, as it is read: turned by its orientation mark (EXIF).
        boxes: of the image; none for background.
    """

    path: Path
    size: tuple[int, int]
    boxes: tuple[Box, ...] = ()


@dataclass
class DataSet:
    """All splits of a data set.

    Args:
        format: its name, such as ``yolo``.
        title: the same for people.
        classes: names, in the order in which COCO's ids are given.
        splits: images by the name of the split: ``train``, ``val``, ``test``, or ``all`` where the
            data set has no splits.
        skipped: what was left out and why, and how many of it.
        notes: what the reader had to decide, in sentences.

    Examples:
        >>> DataSet('yolo', 'YOLO', ('car',), {'train': []}).splits
        {'train': []}
    """

    format: str
    title: str
    classes: tuple[str, ...]
    splits: dict[str, list[ImageRecord]]
    skipped: Counter[str] = field(default_factory=Counter)
    notes: list[str] = field(default_factory=list)


def summary(data: DataSet) -> list[str]:
    """What was read, in lines for people: format, images, boxes, ignored, skipped and why.

    Examples:
        >>> image = ImageRecord(Path('a.png'), (64, 64), (Box((1, 2, 3, 4), 'car'),))
        >>> summary(DataSet('yolo', 'YOLO', ('car',), {'train': [image]}))
        ['YOLO, 1 class: car', 'train: 1 image, 1 box']
    """
    names = ', '.join(data.classes[:12]) + (', ...' if len(data.classes) > 12 else '')
    lines = [f'{data.title}, {_number(len(data.classes), "class", "classes")}: {names}']
    for split, images in data.splits.items():
        boxes = [box for image in images for box in image.boxes]
        ignored = Counter(box.ignored for box in boxes if box.ignored)
        objects = len(boxes) - ignored.total()
        empty = sum(all(box.ignored for box in image.boxes) for image in images)
        parts = [_number(len(images), 'image'), _number(objects, 'box', 'boxes')]
        if empty:
            parts.insert(1, f'{empty} of them without an object')
        if ignored:
            reasons = ', '.join(f'{number} {why}' for why, number in ignored.most_common())
            parts.append(f'{ignored.total()} ignored ({reasons})')
        lines.append(f'{split}: {", ".join(parts)}')
    if data.skipped:
        reasons = ', '.join(f'{number} {what}' for what, number in sorted(data.skipped.items()))
        lines.append(f'skipped: {reasons}')
    return lines + data.notes


def _number(count: int, one: str, several: str = '') -> str:
    return f'{count} {one if count == 1 else several or one + "s"}'


@dataclass(frozen=True)
class Options:
    """What a person says that a folder does not.

    Args:
        classes: names and order of the classes, of formats that have no list of them.
        first_pixel: number of the first pixel in Pascal VOC's files, 0 or 1; None: as
            :class:`PascalVoc` finds.
    """

    classes: Sequence[str] | None = None
    first_pixel: int | None = None


class Format(ABC):
    """A format of annotations; subclasses are listed in :data:`FORMATS`."""

    name: ClassVar[str]
    """For ``--format``."""
    title: ClassVar[str]
    """For people."""
    layout: ClassVar[str]
    """What a folder of it looks like, in a few words."""

    @abstractmethod
    def evidence(self, folder: Folder) -> str:
        """The file by which a folder is known to be of this format; empty if it is not."""

    @abstractmethod
    def read(self, folder: Folder, options: Options) -> DataSet:
        """Read all splits.

        Mistakes are added to ``folder.problems``; who calls this stops for them.
        """


def as_number(text: object) -> float | None:
    """A finite number, or None.

    Examples:
        >>> as_number('0.5'), as_number('nan'), as_number('x')
        (0.5, None, None)
    """
    if isinstance(text, bool) or not isinstance(text, (str, int, float)):
        return None
    try:
        value = float(text)
    except (ValueError, OverflowError):
        return None
    return value if math.isfinite(value) else None


def enclosing(points: Sequence[float]) -> tuple[float, float, float, float]:
    """Left, top, width and height of the box around ``x1, y1, x2, y2, ...``.

    Examples:
        >>> enclosing([4, 1, 6, 3, 4, 5, 2, 3])
        (2, 1, 4, 4)
    """
    xs, ys = points[0::2], points[1::2]
    return min(xs), min(ys), max(xs) - min(xs), max(ys) - min(ys)


def is_flat(xywh: Sequence[float]) -> bool:
    """Whether a box has no width or height; it holds no pixel, and nothing is learnt from it."""
    return xywh[2] <= 0 or xywh[3] <= 0


NO_AREA = 'boxes without width or height'
MISSING = (
    'annotations whose image is not in the folder, or is there under several paths: copy it, or '
    'take the annotation out'
)
UNLABELLED = 'images without an annotation file'


def add_records(
    data: DataSet,
    folder: Folder,
    images: Mapping[Path, Path],
    boxes: Callable[[Path], Sequence[Box]],
    said: Callable[[Path], tuple[int, int]] | None = None,
) -> None:
    """Put the images of annotation files that hold one each into their splits.

    Args:
        data: gets them.
        folder: that was given.
        images: annotation file -> image; one that cannot be read is a problem of the folder.
        boxes: of an annotation file.
        said: width and height by an annotation file, 0 for none, which are compared.
    """
    sizes = folder.sizes(images.values())
    for path, image in images.items():
        if image in sizes:
            if said is not None:
                folder.check_size(folder.short(path), image, sizes[image], said(path))
            record = ImageRecord(image, sizes[image], tuple(boxes(path)))
            data.splits.setdefault(folder.split_of(path), []).append(record)


def count_unlabelled(data: DataSet, folder: Folder, images: Mapping[Path, Path]) -> None:
    """Say how many images have no annotation file."""
    unlabelled = len(folder.images) - len(set(images.values()))
    if unlabelled:
        data.skipped[UNLABELLED] = unlabelled


def ordered(names: Sequence[str], wanted: Sequence[str] | None) -> tuple[str, ...]:
    """Classes of a format without a list of them: those that were given, else sorted by name."""
    return tuple(wanted) if wanted is not None else tuple(sorted(set(names)))


def check_class(folder: Folder, name: str, classes: Sequence[str] | None, place: str) -> bool:
    """Whether a class is among those that were asked for; a problem if not."""
    if classes is None or name in classes:
        return True
    folder.problems.add(
        f'boxes are of a class that is not in the list of classes ({", ".join(classes)}): add it '
        'to --classes, or to the file that has the list',
        f'{place}: {name!r}',
    )
    return False


def first_lines(path: Path, number: int = 3) -> list[str]:
    """The first lines of a text file that are not empty, whatever is in them."""
    with path.open(encoding='utf-8', errors='replace') as file:
        start = file.read(4096)
    return [line for line in start.splitlines() if line.strip()][:number]
