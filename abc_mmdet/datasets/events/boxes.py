"""Labels of a recording: reading them, and which boxes are kept."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from abc_mmdet.errors import UserError

from .catalogue import EventCatalogueEntry

FIELDS = ('t', 'x', 'y', 'w', 'h', 'class_id')
BOX_FILTERS = ('clip', 'rvt', 'prophesee')

SIZES = {'very tiny': 8, 'tiny': 16, 'small': 32, 'medium': 96, 'large': np.inf}
"""Names of box sizes and the square root of the area below which they end, pixels."""

_RVT_MIN_SIDE = 5
_WIDE = (9, 10)  # of the width of the sensor


def read_boxes(path: Path, classes: tuple[str, ...]) -> np.ndarray:
    """A ``_bbox.npy`` file: structured array, sorted by time, with the fields of :data:`FIELDS`.

    Other fields (``track_id``, ``class_confidence``, ...) stay. Old files of Gen1 call the time
    ``ts``; it is renamed.

    Raises:
        UserError: no such file, one that cannot be read, lacks a field or has unknown class ids.
    """
    if not path.is_file():
        raise UserError(f'{path} is missing: the recording has no labels.')
    try:
        boxes = np.load(path)
    except (OSError, ValueError, EOFError) as error:
        raise UserError(f'{path} cannot be read: it is damaged or no .npy file.') from error
    names = list(boxes.dtype.names or ())
    if 't' not in names and 'ts' in names:
        names[names.index('ts')] = 't'
        boxes = boxes.copy()
        boxes.dtype.names = tuple(names)
    missing = [name for name in FIELDS if name not in names]
    if missing:
        raise UserError(f'{path}: labels have no field {missing[0]!r}; there are {names}.')
    if len(boxes) and int(boxes['class_id'].max()) >= len(classes):
        raise UserError(
            f'{path}: class_id {boxes["class_id"].max()}, but the data set has {len(classes)} '
            f'classes {list(classes)}: is --dataset right?'
        )
    return boxes[np.argsort(boxes['t'], kind='stable')]


@dataclass
class BoxFilter:
    """Which boxes are kept, and a count of those that are not.

    Args:
        rules: ``clip``: boxes are clipped to the frame, and empty ones dropped; ``rvt``: what RVT
            does (its classes, clipping one pixel earlier, sides of 5 px at least or, on Gen1, the
            limits of the Prophesee protocol, and in training no box wider than 90 % of the frame);
            ``prophesee``: the limits of the protocol everywhere.
        dataset: whose boxes they are.
        size: width and height of the sensor, pixels.
        is_train: whether they belong to the training split.
    """

    rules: str
    dataset: EventCatalogueEntry
    size: tuple[int, int]
    is_train: bool
    dropped: dict[str, int] = field(default_factory=dict)

    def __call__(self, boxes: np.ndarray) -> np.ndarray:
        """The boxes that are kept, clipped; the argument stays as it is."""
        width, height = self.size
        if self.rules == 'clip':
            return self._keep(*self._clipped(boxes, width, height), 'outside of the frame')
        kept = boxes['class_id'] < self.dataset.kept
        boxes = self._keep(boxes, kept, 'classes that RVT leaves out')
        boxes = self._keep(*self._clipped(boxes, width - 1, height - 1), 'outside of the frame')
        by_protocol = self.rules == 'prophesee' or self.dataset.name == 'gen1'
        if by_protocol:
            side, diagonal = prophesee_limits(width)
            large = boxes['w'] ** 2 + boxes['h'] ** 2 >= diagonal**2
        else:
            side, large = _RVT_MIN_SIDE, np.ones(len(boxes), bool)
        large &= (boxes['w'] >= side) & (boxes['h'] >= side)
        boxes = self._keep(boxes, large, 'too small')
        if self.is_train:
            widest = _WIDE[0] * width // _WIDE[1]
            boxes = self._keep(boxes, boxes['w'] <= widest, 'wider than 90 % of the frame')
        return boxes

    @staticmethod
    def _clipped(boxes: np.ndarray, right: int, bottom: int) -> tuple[np.ndarray, np.ndarray]:
        boxes = boxes.copy()
        for corner, side, limit in (('x', 'w', right), ('y', 'h', bottom)):
            low = np.clip(boxes[corner], 0, limit)
            high = np.clip(boxes[corner] + boxes[side], 0, limit)
            boxes[corner], boxes[side] = low, high - low
        return boxes, (boxes['w'] > 0) & (boxes['h'] > 0)

    def _keep(self, boxes: np.ndarray, kept: np.ndarray, reason: str) -> np.ndarray:
        if not kept.all():
            self.dropped[reason] = self.dropped.get(reason, 0) + int((~kept).sum())
        return boxes[kept]


def prophesee_limits(width: int) -> tuple[int, int]:
    """Least side and diagonal, pixels, that the Prophesee protocol evaluates at this width.

    20 and 60 at 1280 pixels (Perot et al., 2020), half of it for Gen1 and half resolution.
    """
    return (20, 60) if width > 640 else (10, 30)


def count_boxes(boxes: np.ndarray, classes: tuple[str, ...]) -> dict[str, dict[str, int]]:
    """Number of boxes by name of the class and of the size."""
    root = np.sqrt(boxes['w'].astype(float) * boxes['h'])
    size = np.searchsorted(list(SIZES.values()), root, side='right')
    return {
        name: {
            size_name: int(((boxes['class_id'] == i) & (size == k)).sum())
            for k, size_name in enumerate(SIZES)
        }
        for i, name in enumerate(classes)
    }
