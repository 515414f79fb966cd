"""From whatever has events to the representations of its windows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from abc_mmdet.datasets.events.event_windows import EventWindow, EventWindows
from abc_mmdet.datasets.events.readers import columns_of, open_reader
from abc_mmdet.datasets.events.rvt_layout import REPRESENTATIONS, RVTSequence
from abc_mmdet.datasets.events.stacked_histogram import StackedHistogram
from abc_mmdet.errors import UserError

from .stream_statistics import StreamStatistics

Source = str | Path | Iterable[Any]


@dataclass(frozen=True)
class SourceOptions:
    """How a source is read.

    Attributes:
        size: width and height of the sensor, pixels; None takes them from the file.
        time_unit: of times in arrays: ``us``, ``ms``, ``s`` or ``ns``; None finds it in files, and
            is microseconds in a live stream.
        step_ms: from window to window; None is the length of a window.
        longest_gap_s: seconds without any event; longer ones are jumps of the clock.

    Examples:
        >>> SourceOptions(size=(640, 480)).longest_gap_s
        10.0
    """

    size: tuple[int, int] | None = None
    time_unit: str | None = None
    step_ms: float | None = None
    longest_gap_s: float = 10.0


@dataclass(frozen=True, eq=False)
class Step:
    """One window on its way into the network.

    Attributes:
        number: of the window in the source.
        segment, step: see :class:`~abc_mmdet.datasets.events.event_windows.EventWindow`.
        time_us: its end.
        content: its events, or its representation ``(2 * bins, H, W)``.
    """

    number: int
    segment: int
    step: int
    time_us: int
    content: EventWindow | np.ndarray

    def representation(self, histogram: StackedHistogram, size: tuple[int, int]) -> np.ndarray:
        """uint8 ``(2 * bins, H, W)``."""
        if isinstance(self.content, EventWindow):
            return histogram(*self.content.events, size)
        return self.content

    @property
    def num_events(self) -> int:
        if isinstance(self.content, EventWindow):
            return len(self.content.events.t)
        return int(self.content.sum(dtype=np.int64))


class EventSource:
    """The windows of a file, a folder in RVT's layout, or a live stream.

    Args:
        source: path, or an iterable of chunks as
            :func:`~abc_mmdet.datasets.events.readers.columns_of` takes them.
        histogram: the representation.
        options: how it is read.

    Attributes:
        size: width and height of the sensor, pixels.
        name: of the recording.
        is_live: no file.

    Raises:
        UserError: a source that cannot be read or does not fit.
    """

    def __init__(self, source: Source, histogram: StackedHistogram, options: SourceOptions) -> None:
        self.histogram, self.options = histogram, options
        self.step_ms = options.step_ms or histogram.window_ms
        self.is_live = not isinstance(source, (str, Path))
        self.name = 'stream' if self.is_live else Path(source).name  # type: ignore[arg-type]
        self._windows: EventWindows | None = None
        self._remarks: list[str] = []
        if isinstance(source, (str, Path)) and (Path(source) / REPRESENTATIONS).is_dir():
            self._open_folder(Path(source))
            return
        if isinstance(source, (str, Path)):
            reader, self.size = open_reader(Path(source), options.size, options.time_unit)
            self._chunks, self._remarks = reader.chunks(self.size), reader.remarks
        else:
            if options.size is None:
                raise UserError('A live stream does not say how large its sensor is: give size.')
            self.size = options.size
            unit = options.time_unit or 'us'
            self._chunks = (columns_of(chunk, unit, 'the stream') for chunk in source)
        self._windows = EventWindows(
            self.size,
            histogram.window_ms * 1000,
            round(self.step_ms * 1000),
            round(options.longest_gap_s * 1e6),
        )

    def _open_folder(self, folder: Path) -> None:
        sequence = RVTSequence(folder, self.histogram.name, self.histogram.downsample)
        bins, height, width = sequence.shape
        if bins != 2 * self.histogram.bins:
            raise UserError(f'{folder}: representations of {bins} channels, not of this config.')
        factor = self.histogram.factor
        self.size = width * factor, height * factor
        if self.options.size not in (None, self.size):
            raise UserError(
                f'{folder} has representations of {self.size[0]}x{self.size[1]} pixels of the '
                'sensor; leave out the size.'
            )
        self._sequence = sequence

    def __iter__(self) -> Iterator[Step]:
        if self._windows is None:
            for step, end in enumerate(self._sequence.window_ends_us.tolist()):
                (counts,) = self._sequence.representations(step, step + 1)
                yield Step(step, 0, step, end, counts)
            return
        for number, window in enumerate(self._windows.of(self._chunks)):
            yield Step(number, window.segment, window.step, window.end_us, window)

    def count(self, statistics: StreamStatistics) -> None:
        """Note what was found until now."""
        statistics.remarks = list(self._remarks)
        if self._windows is not None:
            clock, windows = self._windows.clock, self._windows
            statistics.events, statistics.outside = windows.num_events, windows.num_outside
            statistics.corrected, statistics.broken = clock.corrected, clock.broken
            statistics.jumps = clock.jumps
            statistics.unused = windows.num_events - windows.num_outside - windows.num_in_windows
            statistics.unused -= clock.broken
