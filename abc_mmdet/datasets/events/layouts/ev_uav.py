"""EV-UAV: one archive for each recording, whose labels say which events belong to a drone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar, NamedTuple

import numpy as np

from abc_mmdet.datasets.hdf5 import open_npz
from abc_mmdet.errors import UserError

from ..catalogue import EventCatalogueEntry
from ..labels import BOX, checked_boxes
from ..readers.reader import Columns, damage_is_named
from ..recording import Recording
from .base import Labels, Layout, Source, pixels

LONGEST_MS = 8192
"""What the grid of EV-UAV's own network (EV-SpSegNet) has room for; its recordings last 8 s."""

LARGEST_NAME = 1 << 31
"""Of a target; there are a handful of them in a recording."""

_FIELDS = ('x', 'y', 't', 'p', 'label', 'name')


class EvUav(Layout):
    """``FOLDER/{train,val,test}/NAME.npz`` with ``ev``, or with ``ev_loc`` and ``evs_norm``.

    From EV-UAV's repository (github.com/ChenYichen9527/EV-UAV):

    * ``ev`` has x, y, t, p, label and name of each event; ``ev_loc`` x, y and t, and ``evs_norm``
      all six, with the first three divided by their largest value. Times are ms.
    * ``label`` is 1 for events of a target, and ``name`` says of which; both are 0 elsewhere.

    There are no boxes. Here a labelled frame is the end of a window, one every ``frame_ms``, and
    the box of a target is the smallest one around the pixels of its events in that window, so it
    covers what the network sees: of a drone that moves also the way that it went in the window.
    Windows without such events are frames without an object, as in the toolkit's false alarms.

    Examples:
        >>> Path('test').mkdir()
        >>> Path('test/test_000.npz').touch()
        >>> [source.name for source in EvUav().find(Path())]
        ['test_000']
    """

    name: ClassVar[str] = 'EV-UAV'
    files: ClassVar[str] = '*.npz'
    evidence: ClassVar[tuple[str, ...]] = ('train/*.npz', 'val/*.npz', 'test/*.npz')

    def sources(self, place: Path, split: str) -> Iterator[Source]:
        for path in sorted(place.glob('*.npz')):
            yield Source(path.stem, split, path, path)

    def recording(
        self, source: Source, entry: EventCatalogueEntry, size: tuple[int, int] | None
    ) -> Recording:
        if source.events.suffix != '.npz':
            return super().recording(source, entry, size)
        return _recording(source, entry, size, _events(source.events))

    def labels(self, source: Source, entry: EventCatalogueEntry, window_us: int) -> Labels:
        return _labels(source, entry, window_us, _events(source.events))

    def read(
        self,
        source: Source,
        entry: EventCatalogueEntry,
        window_us: int,
        size: tuple[int, int] | None,
    ) -> tuple[Labels | None, Recording]:
        if source.boxes != source.events:
            return super().read(source, entry, window_us, size)
        events = _events(source.events)
        labels = _labels(source, entry, window_us, events)
        return labels, _recording(source, entry, size, events)


class LabelledEvents(NamedTuple):
    """Events of a recording, ``(N,)`` each.

    Args:
        x, y: pixels.
        p: polarity, 0 or 1.
        t: µs, not decreasing.
        is_target: whether the event belongs to a target.
        target: its number.

    Examples:
        >>> column = np.zeros(2, np.int64)
        >>> len(LabelledEvents(column, column, column, column, column > 0, column).t)
        2
    """

    x: np.ndarray
    y: np.ndarray
    p: np.ndarray
    t: np.ndarray
    is_target: np.ndarray
    target: np.ndarray


def boxes_of_events(events: LabelledEvents, frames_us: np.ndarray, window_us: int) -> np.ndarray:
    """The smallest box around the events of each target in the window before each frame.

    Args:
        events: of the recording.
        frames_us: ends of the windows, increasing, µs. Both ends of a window belong to it.
        window_us: length of each.

    Returns:
        Structured array of :data:`~..labels.BOX`, in order of time and target. A box reaches from
        the left of the first pixel to the right of the last one, so one pixel has a side of 1.

    Examples:
        >>> x, y, t = np.array([[3, 9, 5], [4, 8, 4], [10, 20, 30]])
        >>> is_target = np.array([True, False, True])
        >>> events = LabelledEvents(x, y, x, t, is_target, np.array([7, 0, 7]))
        >>> boxes_of_events(events, np.array([50]), 50)[['x', 'y', 'w', 'h']].tolist()
        [(3.0, 4.0, 3.0, 1.0)]
    """
    x, y, t, target = (
        column[events.is_target] for column in (events.x, events.y, events.t, events.target)
    )
    begins = np.searchsorted(t, frames_us - window_us, side='left')
    ends = np.searchsorted(t, frames_us, side='right')
    rows = []
    for frame, begin, end in zip(frames_us.tolist(), begins, ends, strict=True):
        for number in np.unique(target[begin:end]).tolist():
            of_it = target[begin:end] == number
            columns, lines = x[begin:end][of_it], y[begin:end][of_it]
            left, top = int(columns.min()), int(lines.min())
            width, height = int(columns.max()) + 1 - left, int(lines.max()) + 1 - top
            rows.append((left, top, width, height, frame, 0, number))
    return np.array(rows, BOX)


def _recording(
    source: Source,
    entry: EventCatalogueEntry,
    size: tuple[int, int] | None,
    events: LabelledEvents,
) -> Recording:
    p = events.p.astype(np.uint8)
    columns = Columns(pixels(events.x), pixels(events.y), p, events.t)
    return Recording(source.events, size, entry.size, read=lambda: iter([columns]))


def _labels(
    source: Source, entry: EventCatalogueEntry, window_us: int, events: LabelledEvents
) -> Labels:
    frame_us = 1000 * entry.frame_ms
    last = int(events.t[-1]) if len(events.t) else 0
    frames = np.arange(frame_us, last + frame_us, frame_us)
    boxes = boxes_of_events(events, frames, window_us)
    return Labels(checked_boxes(source.events, boxes, entry.classes), frames)


def _events(path: Path) -> LabelledEvents:
    with damage_is_named(path), open_npz(path) as file:
        if 'ev' in file.files:
            fields = _fields(file['ev'])
        elif {'ev_loc', 'evs_norm'} <= set(file.files):
            place, rest = file['ev_loc'], file['evs_norm']
            if place.ndim != 2 or rest.ndim != 2 or len(place) != len(rest):
                raise ValueError('ev_loc and evs_norm differ in length')
            fields = [*place.T[:3], *rest.T[3:6]]
        else:
            raise ValueError(f'it has {file.files}, not ev or ev_loc and evs_norm')
        if len(fields) != len(_FIELDS) or any(c.dtype.kind not in 'iufb' for c in fields):
            raise ValueError(f'it does not hold the numbers {", ".join(_FIELDS)} of each event')
        if not all(np.isfinite(field).all() for field in fields):
            raise ValueError('it holds values that are no numbers')
    x, y, t, p, label, name = fields
    late = (t < 0) | (t > LONGEST_MS)
    if late.any():
        raise UserError(
            f'{path}: an event at t={t[late][0]}. Times of EV-UAV are in milliseconds, and its '
            f'recordings last 8 s (here at most {LONGEST_MS} ms).'
        )
    for column, values in (('label', label), ('p', p)):
        unknown = ~np.isin(values, (0, 1))
        if unknown.any():
            raise UserError(f'{path}: {column} is {values[unknown][0]}, not 0 or 1 as in EV-UAV.')
    times = np.maximum.accumulate(np.rint(t * 1000.0).astype(np.int64)) if len(t) else t
    strange = (name < 0) | (name > LARGEST_NAME)
    if strange.any():
        raise UserError(f'{path}: name is {name[strange][0]}, not the number of a target.')
    columns, lines, polarity, target = (c.astype(np.int64) for c in (x, y, p, name))
    return LabelledEvents(columns, lines, polarity, times.astype(np.int64), label == 1, target)


def _fields(events: np.ndarray) -> list[np.ndarray]:
    """Columns of ``ev``: by name, or in the order of :data:`_FIELDS`."""
    if events.dtype.names:
        return [events[name] for name in _FIELDS if name in events.dtype.names]
    return list(events.T) if events.ndim == 2 else []
