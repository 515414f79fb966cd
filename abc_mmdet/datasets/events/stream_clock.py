"""Times of a stream of events as they come: jitter, broken packets, a clock that jumps."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numba
import numpy as np

from .readers import Columns
from .recording import FAR_US

BELIEVED_US = 20_000
"""A clock that jumped is believed when it has gone on for so long; before, its events wait."""
_MOST_WAITING = 1 << 20  # events; of a clock that stands still after a jump
_KEEP, _DROP, _JUMP = 0, 1, 2


@dataclass
class ClockCounts:
    """What was wrong with the times.

    Attributes:
        corrected: times that were smaller than one before them, and took its place.
        broken: events with a time of their own far ahead, left out.
        jumps: how often the clock jumped.
    """

    corrected: int = 0
    broken: int = 0
    jumps: int = 0


class StreamClock:
    """Makes times not decrease, with what is known at the time, and finds jumps of the clock.

    A time that is smaller than one before it becomes that one (a running maximum, as
    :class:`~.recording.Recording` and RVT do). A time more than :data:`~.recording.FAR_US` back, or
    more than ``longest_gap_us`` ahead, is a jump if the events behind it stay there for
    :data:`BELIEVED_US`; if they do not, its packet was broken: times back are made as large as
    the one before, events ahead are left out. So one wrong time does not empty all windows
    behind it. In which chunks events come does not matter.

    Args:
        longest_gap_us: longest time without any event.

    Attributes:
        counts: what was found.

    Examples:
        >>> clock = StreamClock(longest_gap_us=1_000_000)
        >>> nothing = np.zeros(3, int)
        >>> parts = clock.put(Columns(nothing, nothing, nothing, np.array([5, 4, 9])))
        >>> [(jumped, events.t.tolist()) for jumped, events in parts]
        [(False, [5, 5, 9])]
    """

    def __init__(self, longest_gap_us: int) -> None:
        self.longest_gap_us = longest_gap_us
        self.counts = ClockCounts()
        self._latest: int | None = None
        self._waiting: list[Columns] = []

    def put(self, events: Columns) -> Iterator[tuple[bool, Columns]]:
        """Events that are clear now, in order; True before those behind a jump."""
        if not len(events.t):
            return
        # Copies, as a live source may fill the same arrays again
        chunk = Columns(*map(np.array, events))._replace(t=events.t.astype(np.int64))
        if self._waiting:
            self._waiting.append(chunk)
            chunk = Columns(*map(np.concatenate, zip(*self._waiting, strict=True)))
            self._waiting = []
        if self._latest is None:
            self._latest = int(chunk.t[0])
        number, t, marks, latest = self._fast(chunk.t, self._latest) or _follow(
            chunk.t, self._latest, self.longest_gap_us, FAR_US, BELIEVED_US, _MOST_WAITING
        )
        self._latest = latest
        if number < len(chunk.t):
            self._waiting = [Columns(*(column[number:] for column in chunk))]
        yield from self._parts(Columns(*(column[:number] for column in chunk)), t, marks)

    def end(self) -> None:
        """There are no more events: those that wait were broken."""
        self.counts.broken += sum(len(chunk.t) for chunk in self._waiting)
        self._waiting = []

    def _fast(
        self, t: np.ndarray, latest: int
    ) -> tuple[int, np.ndarray, np.ndarray | None, int] | None:
        """Of a chunk without any jump, as nearly all are."""
        ordered = np.maximum.accumulate(np.maximum(t, latest))
        steps = np.diff(ordered, prepend=latest)
        if steps.max() > self.longest_gap_us or (ordered - t).max() > FAR_US:
            return None
        return len(t), ordered, None, int(ordered[-1])

    def _parts(
        self, events: Columns, t: np.ndarray, marks: np.ndarray | None
    ) -> Iterator[tuple[bool, Columns]]:
        if marks is None:
            self.counts.corrected += int((t != events.t).sum())
            yield False, events._replace(t=t)
            return
        t, kept = t[: len(marks)], marks != _DROP
        self.counts.broken += int((~kept).sum())
        self.counts.corrected += int((t != events.t)[kept].sum())
        borders = np.flatnonzero(marks == _JUMP).tolist()
        self.counts.jumps += len(borders)
        for begin, stop in zip([0, *borders], [*borders, len(marks)], strict=True):
            part = kept[begin:stop]
            if part.any():
                columns = events._replace(t=t)
                yield (
                    bool(marks[begin] == _JUMP),
                    Columns(*(column[begin:stop][part] for column in columns)),
                )


@numba.njit(cache=True)
def _follow(t, latest, longest_gap, far, believed, most_waiting):
    """Event by event: how many are clear, times, marks of those that are, and the last time."""
    number = len(t)
    ordered = np.empty(number, np.int64)
    marks = np.zeros(number, np.uint8)
    first = -1  # of the events that wait
    first_time = new_latest = np.int64(0)
    for i in range(number):
        time = t[i]
        if latest - far <= time <= latest + longest_gap:
            if first >= 0:
                _reject(t, ordered, marks, first, i, latest)
                first = -1
            latest = max(latest, time)
            ordered[i] = latest
            continue
        if first >= 0 and not (new_latest - far <= time <= new_latest + longest_gap):
            _reject(t, ordered, marks, first, i, latest)
            first = -1
        if first < 0:
            first, first_time, new_latest = i, time, time
        new_latest = max(new_latest, time)
        ordered[i] = new_latest
        if new_latest - first_time >= believed or i - first >= most_waiting:
            marks[first] = _JUMP
            latest, first = new_latest, -1
    clear = number if first < 0 else first
    return clear, ordered, marks[:clear], latest


@numba.njit(cache=True)
def _reject(t, ordered, marks, begin, stop, latest):
    for i in range(begin, stop):
        if t[i] < latest:
            ordered[i] = latest
        else:
            marks[i] = _DROP
            ordered[i] = t[i]
