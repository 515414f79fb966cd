"""Event recordings as they come from a camera or a public data set."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from abc_mmdet.errors import UserError

from .labels import LONGEST_US
from .readers import Columns, EventReader, known_size, on_sensor, open_reader

CAMERA_FILES = ('.raw', '.dat', '.aedat4')
"""Files of which cameras have written the head, with the size of the sensor."""
FAR_US = 100_000
"""Times this much smaller than one before them are no jitter of the sensor."""
MOST_FAR = 1000
"""One of so many events may be that far from the order: a broken packet, not a broken clock."""


class Recording:
    """Reads a recording from beginning to end, chunk by chunk.

    Times are made not to decrease (a running maximum, as RVT does), polarities of -1 become 0,
    events outside of the sensor are left out; what was changed is counted.

    Args:
        path: a file that one of :data:`~.readers.READERS` reads.
        size: width and height of the sensor; None takes them from the file.
        default_size: where the file does not tell.
        read: gives the events, for files that are none of these; one of the sizes is needed then.

    Attributes:
        size: width and height of the sensor, pixels.
        num_events: read so far, those left out included.
        num_outside: of these, outside of the sensor.
        num_late: of these, times that were smaller than one before them.
        num_in_windows: different events that :meth:`windows` has given out.
        num_far: of the late ones, by more than :data:`FAR_US`.
        span_us: times of the first and the last event read so far; None before any.

    Raises:
        UserError: a file that is missing, of another kind, damaged, or has no size or one above
            :data:`~.readers.LARGEST_SIDE`.

    Examples:
        >>> import h5py
        >>> with h5py.File('street_td.h5', 'w') as file:
        ...     file['events/height'], file['events/width'] = 48, 64
        ...     for name in 'xypt':
        ...         file['events/' + name] = [0, 1]
        >>> [len(chunk['t']) for chunk in Recording(Path('street_td.h5')).chunks()]
        [2]
    """

    def __init__(
        self,
        path: Path,
        size: tuple[int, int] | None = None,
        default_size: tuple[int, int] | None = None,
        read: Callable[[], Iterator[Columns]] | None = None,
    ) -> None:
        self.path = path
        self.num_events = self.num_outside = self.num_late = self.num_in_windows = 0
        self.num_far = 0
        self.span_us: tuple[int, int] | None = None
        self._held = (0, 0)  # the time that most events were moved to, and how many
        self._read = read
        self._reader: EventReader | None = None
        if read is None:
            self._reader, self.size = open_reader(path, size, default_size=default_size)
        elif path.is_file():
            self.size = known_size(path, size, default_size)
        else:
            raise UserError(f'{path}: there is no such recording.')

    def chunks(self) -> Iterator[dict[str, np.ndarray]]:
        """``x``, ``y``, ``p`` and ``t`` of the events, in order."""
        latest = 0
        for x, y, p, t in self._chunks():
            t = t.astype(np.int64)
            t_sorted = np.maximum.accumulate(np.maximum(t, latest))
            chunk = on_sensor(Columns(x, y, p, t_sorted), self.size, str(self.path))
            self.num_events += len(t)
            self.num_late += int((t_sorted != t).sum())
            self.num_outside += len(t) - len(chunk.t)
            if len(t):
                latest = int(t_sorted[-1])
                self.span_us = (self.span_us or (int(t_sorted[0]), 0))[0], latest
                self._count_far(t, t_sorted)
            yield chunk._asdict()

    def _chunks(self) -> Iterator[Columns]:
        if self._read is not None:
            return self._read()
        assert self._reader is not None
        return self._reader.chunks(self.size)

    def _count_far(self, t: np.ndarray, t_sorted: np.ndarray) -> None:
        far = t < t_sorted - FAR_US
        if far.any():
            self.num_far += int(far.sum())
            times, counts = np.unique(t_sorted[far], return_counts=True)
            most = int(counts.argmax())
            self._held = max(self._held, (int(times[most]), int(counts[most])), key=lambda h: h[1])

    def check_order(self) -> None:
        """Refuse times that a running maximum cannot put right; when all events were read.

        Raises:
            UserError: more events than one in :data:`MOST_FAR` come more than :data:`FAR_US` after
                a later time: a single wrong one would empty all windows behind it.
        """
        if self.num_far * MOST_FAR <= self.num_events:
            return
        jump = self._held[0]
        where = f'jumps to {jump} µs ({jump / 1e6:g} s) and back' if jump else 'begins below 0'
        raise UserError(
            f'{self.path}: events/t {where}: {self.num_far:,} of {self.num_events:,} events are '
            f'more than {FAR_US / 1e6:g} s behind, and the windows of their times would be empty. '
            'Remove the events with wrong times from the file.'
        )

    def windows(
        self, ends_us: np.ndarray, length_us: int
    ) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]]:
        """Events of each window ``[end - length, end]``, both ends included, as x, y, p, t.

        Args:
            ends_us: ends of the windows, increasing, µs.
            length_us: of each.

        Raises:
            UserError: after the last window, from :meth:`check_order`.
        """
        chunks = self.chunks()
        held = {k: np.empty(0, v) for k, v in dict(x='u2', y='u2', p='u1', t='i8').items()}
        held_from = given = 0  # number of the first event held, and of the first not given out yet
        for end in ends_us.tolist():
            while len(held['t']) == 0 or held['t'][-1] <= end:
                more = next(chunks, None)
                if more is None:
                    break
                past = int(np.searchsorted(held['t'], end - length_us, side='left'))
                held = {k: np.concatenate([v[past:], more[k]]) for k, v in held.items()}
                held_from += past
            first = int(np.searchsorted(held['t'], end - length_us, side='left'))
            last = int(np.searchsorted(held['t'], end, side='right'))
            self.num_in_windows += max(0, held_from + last - max(held_from + first, given))
            given = max(given, held_from + last)
            yield tuple(held[k][first:last] for k in ('x', 'y', 'p', 't'))  # type: ignore[misc]
        for _ in chunks:  # the rest is counted, too
            pass
        self.check_order()

    def time_span(self) -> tuple[int, int]:
        """Times of the first and the last event, µs.

        Raises:
            UserError: there are no events, more than a day of them, or :meth:`check_order`.
        """
        first = last = None
        reading = Recording(self.path, self.size, read=self._read)
        for chunk in reading.chunks():
            if len(chunk['t']):
                first = int(chunk['t'][0]) if first is None else first
                last = int(chunk['t'][-1])
        if first is None or last is None:
            raise UserError(f'{self.path}: the recording has no events.')
        if last - first > LONGEST_US:
            raise UserError(
                f'{self.path}: events/t goes from {first} to {last}, more than a day. Times are in '
                'microseconds.'
            )
        reading.check_order()
        return first, last
