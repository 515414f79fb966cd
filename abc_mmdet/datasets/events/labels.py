"""Labels of a recording: reading them, which are kept, and which make frames."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from abc_mmdet.errors import UserError

from .catalogue import EventCatalogueEntry

FIRST_US = 100_000
"""Labels before this are left out: too few events precede them."""

LONGEST_US = 24 * 3600 * 1_000_000
"""Longest recording; times beyond are a mistake, such as nanoseconds, and windows without end."""

_FRAME_STEP_US = 100_000
_JITTER_US = 2_000
_GEN1_INTERVAL_US = 250_000  # its labels come at 1, 2 or 4 Hz


@dataclass(frozen=True)
class FrameTimes:
    """Times of a recording, all in µs.

    Args:
        frames_us: of the labelled frames, ``(F,)``.
        windows_us: ends of the windows of events, ``(N,)``; every frame is one of them.
        frame_steps: index of each frame's window, ``(F,)``.

    Examples:
        >>> times = frame_times(np.arange(100_000, 400_000, 100_000), is_gen1=False)
        >>> times.frames_us.tolist(), times.windows_us[times.frame_steps].tolist()
        ([100000, 200000, 300000], [100000, 200000, 300000])
    """

    frames_us: np.ndarray
    windows_us: np.ndarray
    frame_steps: np.ndarray


def frame_times(
    labels_us: np.ndarray,
    is_gen1: bool,
    step_us: int = 50_000,
    frame_us: int = _FRAME_STEP_US,
    first_us: int = FIRST_US,
) -> FrameTimes:
    """What RVT makes of the times of labels: frames at about 10 Hz, windows between them.

    The first label at or after 100 ms is a frame, and from there on every label that is a multiple
    of the interval away, within 2 ms. The interval is every third label at 30 Hz, every sixth at
    60 Hz, and 250 ms on Gen1. (RVT refuses other rates; here as many labels are skipped as come
    nearest to 10 Hz.) Windows divide the time between two frames evenly.

    Args:
        labels_us: distinct times of labels, increasing.
        is_gen1: whether the labels are those of Gen1.
        step_us: distance of two windows; a divisor of ``frame_us``.
        frame_us: distance of two frames, in place of what comes nearest to 10 Hz; not for Gen1.
        first_us: labels before it make no frames, in place of 100 ms.

    Raises:
        UserError: no label at or after ``first_us``.
    """
    times = np.asarray(labels_us, np.int64)
    start = int(np.searchsorted(times, first_us, side='left'))
    if start == len(times):
        raise UserError(f'there is no label at or after {first_us // 1000} ms.')
    interval, per_interval = _interval(times, is_gen1, step_us, frame_us)
    frames, windows_between = [int(times[start])], []
    for time in times[start + 1 :].tolist():
        count = round((time - frames[-1]) / interval)
        if count > 0 and abs(time - frames[-1] - count * interval) <= _JITTER_US:
            frames.append(time)
            windows_between.append(count * per_interval)
    # RVT leaves out the first window before the first frame, which may reach back before time 0
    lead_in = range(frames[0], 0, -step_us)[::-1][1:-1]
    windows = [np.array(lead_in, np.int64)]
    for begin, end, number in zip(frames[:-1], frames[1:], windows_between, strict=True):
        windows.append(np.linspace(begin, end, number + 1).astype(np.int64)[:-1])
    windows.append(np.array(frames[-1:]))
    windows_us, frames_us = np.concatenate(windows), np.array(frames, np.int64)
    return FrameTimes(frames_us, windows_us, np.searchsorted(windows_us, frames_us))


def _interval(times: np.ndarray, is_gen1: bool, step_us: int, frame_us: int) -> tuple[int, int]:
    """Distance of frames that is aimed at, µs, and the number of windows in it."""
    if is_gen1:
        return _GEN1_INTERVAL_US, _FRAME_STEP_US // step_us
    if len(times) < 2 or frame_us != _FRAME_STEP_US:
        return frame_us, frame_us // step_us
    median = float(np.median(np.diff(times)))
    rate = round(1e6 / median)
    if rate in (30, 60):
        return int((rate // 10) * median), _FRAME_STEP_US // step_us
    interval = int(max(1, round(_FRAME_STEP_US / median)) * median)
    return interval, max(1, round(interval / step_us))


def even_windows(first_us: int, last_us: int, step_us: int) -> np.ndarray:
    """Ends of windows every ``step_us`` through a recording without labels."""
    return np.arange(first_us + step_us, max(last_us, first_us + step_us) + 1, step_us)


FIELDS = ('t', 'x', 'y', 'w', 'h', 'class_id')
BOX_FILTERS = ('clip', 'rvt', 'prophesee')

SIZES = {'very tiny': 8, 'tiny': 16, 'small': 32, 'medium': 96, 'large': np.inf}
"""Names of box sizes and the square root of the area below which they end, pixels."""

_RVT_MIN_SIDE = 5
_WIDE = (9, 10)  # of the width of the sensor


BOX = np.dtype(
    [*[(name, '<f4') for name in 'xywh'], ('t', '<i8'), ('class_id', '<u4'), ('track_id', '<u4')]
)
"""Labels that are not read from a file of Prophesee's kind."""


def read_boxes(path: Path, classes: tuple[str, ...]) -> np.ndarray:
    """A ``_bbox.npy`` file: structured array, sorted by time, with the fields of :data:`FIELDS`.

    Other fields (``track_id``, ``class_confidence``, ...) stay. Old files of Gen1 call the time
    ``ts``; it is renamed.

    Raises:
        UserError: no such file, one that cannot be read, lacks a field, has unknown class ids or
            times that are not within a day.
    """
    return checked_boxes(path, load_boxes(path), classes)


def load_boxes(path: Path) -> np.ndarray:
    """The array of a ``_bbox.npy`` file, as it is.

    Raises:
        UserError: no such file, one that cannot be read, or lacks a field.
    """
    if not path.is_file():
        raise UserError(f'{path} is missing: the recording has no labels.')
    try:
        boxes = np.load(path)
    except Exception as error:  # a damaged header raises whatever its parser does
        raise UserError(f'{path} cannot be read: it is damaged or no .npy file.') from error
    if not isinstance(boxes, np.ndarray) or boxes.ndim != 1:
        raise UserError(f'{path} holds no list of labels.')
    names = list(boxes.dtype.names or ())
    if 't' not in names and 'ts' in names:
        names[names.index('ts')] = 't'
        boxes = boxes.copy()
        boxes.dtype.names = tuple(names)
    missing = [name for name in FIELDS if name not in names]
    if missing:
        raise UserError(f'{path}: labels have no field {missing[0]!r}; there are {names}.')
    wrong = [
        name for name in FIELDS if boxes[name].ndim != 1 or boxes.dtype[name].kind not in 'iuf'
    ]
    if wrong:
        raise UserError(f'{path}: the field {wrong[0]} holds {boxes.dtype[wrong[0]]}, not numbers.')
    return boxes


def checked_boxes(path: Path, boxes: np.ndarray, classes: tuple[str, ...]) -> np.ndarray:
    """Boxes in order of time.

    Raises:
        UserError: unknown class ids, or times that are not within a day.
    """
    late = ~((boxes['t'] >= 0) & (boxes['t'] <= LONGEST_US))
    if late.any():
        raise UserError(
            f'{path}: a label at t={boxes["t"][late][0]}. Times are in microseconds from the '
            'beginning of the recording, and within a day.'
        )
    unknown = (boxes['class_id'] < 0) | (boxes['class_id'] >= len(classes))
    if unknown.any():
        raise UserError(
            f'{path}: class_id {boxes["class_id"][unknown][0]}, but the data set has '
            f'{len(classes)} classes {list(classes)}: is --dataset right?'
        )
    return boxes[np.argsort(boxes['t'], kind='stable')]


@dataclass
class BoxFilter:
    """Which boxes are kept, and how many of each class and size are not.

    Args:
        rules: ``clip``: boxes are clipped to the frame, and empty ones dropped; ``rvt``: what RVT
            does (its classes, clipping one pixel earlier, sides of 5 px at least or, on Gen1, the
            limits of the Prophesee protocol, and in training no box wider than 90 % of the frame);
            ``prophesee``: the limits of the protocol everywhere.
        dataset: whose boxes they are.
        size: width and height of the sensor, pixels.
        is_train: whether they belong to the training split.

    Attributes:
        dropped: by reason, what :func:`count_boxes` says; sizes are those of the labels.

    Examples:
        >>> from abc_mmdet.datasets.events.catalogue import GEN1
        >>> fields = [(name, float) for name in ('x', 'y', 'w', 'h')]
        >>> boxes = np.array([(-5, 0, 9, 9, 0), (400, 0, 9, 9, 0)], [*fields, ('class_id', int)])
        >>> BoxFilter('clip', GEN1, size=(304, 240), is_train=True)(boxes)['w'].tolist()
        [4.0]
    """

    rules: str
    dataset: EventCatalogueEntry
    size: tuple[int, int]
    is_train: bool
    dropped: dict[str, dict[str, dict[str, int]]] = field(default_factory=dict)

    def __call__(self, boxes: np.ndarray) -> np.ndarray:
        """The boxes that are kept, clipped; the argument stays as it is."""
        width, height = self.size
        if self.rules == 'clip':
            return self._clipped(boxes, width, height)
        kept = boxes['class_id'] < self.dataset.kept
        boxes = self.keep(boxes, kept, 'of a class that RVT leaves out')
        boxes = self._clipped(boxes, width - 1, height - 1)
        w, h = _computable(boxes['w']), _computable(boxes['h'])
        if self.rules == 'prophesee' or self.dataset.name == 'gen1':
            side, diagonal = prophesee_limits(width)
            large = (w**2 + h**2 >= diagonal**2) & (w >= side) & (h >= side)
        else:
            large = (w >= _RVT_MIN_SIDE) & (h >= _RVT_MIN_SIDE)
        boxes = self.keep(boxes, large, 'too small')
        if self.is_train:
            widest = _WIDE[0] * width // _WIDE[1]
            boxes = self.keep(boxes, boxes['w'] <= widest, 'wider than 90 % of the frame')
        return boxes

    def keep(self, boxes: np.ndarray, kept: np.ndarray, reason: str) -> np.ndarray:
        """The boxes of a mask; the others are counted as dropped for this reason."""
        if not kept.all():
            counts = count_boxes(boxes[~kept], self.dataset.classes)
            add_counts(self.dropped.setdefault(reason, {}), counts)
        return boxes[kept]

    def _clipped(self, boxes: np.ndarray, right: int, bottom: int) -> np.ndarray:
        clipped = boxes.copy()
        for corner, side, limit in (('x', 'w', right), ('y', 'h', bottom)):
            begin = _computable(boxes[corner])
            low = np.clip(begin, 0, limit)
            high = np.clip(begin + _computable(boxes[side]), 0, limit)
            clipped[corner], clipped[side] = low, high - low
        inside = (clipped['w'] > 0) & (clipped['h'] > 0)
        self.keep(boxes, inside, 'outside of the frame, or empty')
        return clipped[inside]


def _computable(pixels: np.ndarray) -> np.ndarray:
    """As floats: sums and squares of small integers overflow. Floats stay as RVT computes them."""
    return pixels.astype(np.result_type(pixels.dtype, np.float32), copy=False)


def prophesee_limits(width: int) -> tuple[int, int]:
    """Least side and diagonal, pixels, that the Prophesee protocol evaluates at this width.

    20 and 60 at 1280 pixels (Perot et al., 2020), half of it for Gen1 and half resolution.
    """
    return (20, 60) if width > 640 else (10, 30)


def count_boxes(boxes: np.ndarray, classes: tuple[str, ...]) -> dict[str, dict[str, int]]:
    """Number of boxes by name of the class and of the size."""
    sides = np.maximum([boxes['w'], boxes['h']], 0).astype(float)
    size = np.searchsorted(list(SIZES.values())[:-1], np.sqrt(sides.prod(axis=0)), side='right')
    return {
        name: {
            size_name: int(((boxes['class_id'] == i) & (size == k)).sum())
            for k, size_name in enumerate(SIZES)
        }
        for i, name in enumerate(classes)
    }


def add_counts(sums: dict[str, dict[str, int]], counts: dict[str, dict[str, int]]) -> None:
    """Add what :func:`count_boxes` returned to a sum of such."""
    for name, sizes in counts.items():
        row = sums.setdefault(name, dict.fromkeys(SIZES, 0))
        for size, number in sizes.items():
            row[size] += number


def total(counts: dict[str, dict[str, int]]) -> int:
    """Number of boxes of all classes and sizes in what :func:`count_boxes` returned."""
    return sum(sum(sizes.values()) for sizes in counts.values())
