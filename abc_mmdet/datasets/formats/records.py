"""What a reader makes of a data set, whatever its format."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path


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
