"""A stream of events, cut into windows as they come."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from abc_mmdet.errors import UserError

from .readers import Columns, on_sensor
from .stream_clock import ClockCounts, StreamClock


@dataclass(frozen=True, eq=False)
class EventWindow:
    """Events of one window.

    Attributes:
        segment: how often the clock had jumped.
        step: number of the window since then.
        end_us: its end, µs.
        events: inside the sensor, in order; polarities 0 and 1.

    Examples:
        >>> events = Columns(*(np.zeros(2, int) for _ in 'xypt'))
        >>> len(EventWindow(segment=0, step=0, end_us=50_000, events=events).events.t)
        2
    """

    segment: int
    step: int
    end_us: int
    events: Columns


class EventWindows:
    """Cuts a stream into windows; those of a file without labels are the same in a conversion.

    The first window begins with the first event, and so does the first one behind a jump of the
    clock. A window is ``[end - length, end]``, both ends included, and complete when there is an
    event behind it. What is left when the stream ends is no window, unless it is all there is.

    Args:
        size: width and height of the sensor, pixels.
        length_us: of a window.
        step_us: from window to window; default: its length.
        longest_gap_us: without any event. Shorter ones are empty windows, longer ones jumps.

    Attributes:
        num_events: that came.
        num_outside: of these, outside of the sensor, and left out.
        num_in_windows: of these, in a window. Others lie between two windows, or behind the last
            one of their segment.
        clock: what was wrong with their times.

    Raises:
        UserError: lengths below 1.

    Examples:
        >>> windows = EventWindows((64, 48), length_us=10)
        >>> zeros = np.zeros(4, int)
        >>> chunk = Columns(zeros, zeros, zeros, np.array([100, 105, 112, 131]))
        >>> [(window.end_us, len(window.events.t)) for window in windows.of([chunk])]
        [(110, 2), (120, 1), (130, 0)]
    """

    def __init__(
        self,
        size: tuple[int, int],
        length_us: int,
        step_us: int | None = None,
        longest_gap_us: int = 10_000_000,
    ) -> None:
        self.size = size
        self.length_us, self.step_us = length_us, step_us or length_us
        if min(self.length_us, self.step_us, longest_gap_us) < 1:
            raise UserError(
                f'length_us={length_us}, step_us={step_us}, longest_gap_us={longest_gap_us}: '
                'give 1 or more.'
            )
        self.num_events = self.num_outside = self.num_in_windows = 0
        self._clock = StreamClock(longest_gap_us)
        self._segment, self._step = 0, 0
        self._end: int | None = None  # of the next window; None before the first event
        self._latest = 0
        self._held: list[Columns] = []
        self._given = 0  # of the events held, those that were in a window

    @property
    def clock(self) -> ClockCounts:
        return self._clock.counts

    def of(self, chunks: Iterable[Columns]) -> Iterator[EventWindow]:
        """All windows of a stream that ends."""
        for chunk in chunks:
            yield from self.put(chunk)
        yield from self.end()

    def put(self, events: Columns) -> Iterator[EventWindow]:
        """Windows that are complete with these events; consume it before the next call."""
        self.num_events += len(events.t)
        for jumped, part in self._clock.put(events):
            if jumped:
                yield from self._last()
                self._segment += 1
            inside = on_sensor(part, self.size)
            self.num_outside += len(part.t) - len(inside.t)
            if not len(inside.t):
                continue
            if self._end is None:
                self._end, self._step = int(inside.t[0]) + self.step_us, 0
            self._held.append(inside)
            self._latest = int(inside.t[-1])
            if self._latest > self._end:
                yield from self._complete(self._latest - 1)

    def end(self) -> Iterator[EventWindow]:
        """Windows that are complete because nothing more comes."""
        self._clock.end()
        yield from self._last()

    def _last(self) -> Iterator[EventWindow]:
        """Those of the segment that ends here: up to its last event, one at least."""
        if self._end is None:
            return
        yield from self._complete(self._latest if self._step else max(self._latest, self._end))
        self._end, self._held, self._given = None, [], 0

    def _complete(self, until: int) -> Iterator[EventWindow]:
        """Windows that end up to a time."""
        assert self._end is not None
        held = Columns(*map(np.concatenate, zip(*self._held, strict=True)))
        while self._end <= until:
            end = self._end
            first, last = np.searchsorted(held.t, [end - self.length_us, end + 1]).tolist()
            window = EventWindow(
                self._segment, self._step, end, Columns(*(column[first:last] for column in held))
            )
            self.num_in_windows += max(last - max(first, self._given), 0)
            self._given = max(self._given, last)
            self._end, self._step = end + self.step_us, self._step + 1
            yield window
        begin = int(np.searchsorted(held.t, self._end - self.length_us))
        self._held = [Columns(*(column[begin:].copy() for column in held))]
        self._given = max(self._given - begin, 0)
