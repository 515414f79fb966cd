"""What every reader of a format has, and what several of them need."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from .folder import Folder
from .records import Box, DataSet, ImageRecord


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
