"""Detections of a recording or a live stream of events, window by window."""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING

from abc_mmdet.models.recurrence import StreamMemory

from .detections import WindowDetections
from .event_sources import EventSource, Step
from .stream_statistics import StreamStatistics
from .window_queue import WindowQueue, received

if TYPE_CHECKING:
    from .window_inferencer import WindowInferencer


class DetectionStream:
    """Detections window by window; goes through its source once.

    Attributes:
        size: width and height of the sensor, pixels.
        name: of the recording.
        statistics: of the windows until now.
    """

    def __init__(self, inferencer: WindowInferencer, source: EventSource, when_late: str) -> None:
        self.size, self.name = source.size, source.name
        self.statistics = StreamStatistics(step_ms=source.step_ms)
        self._inferencer, self._source = inferencer, source
        self._queue: WindowQueue[Step] = WindowQueue(when_late, source.step_ms / 1000)
        self._memory = StreamMemory()  # of this stream; others may use the model in between
        self._segment, self._steps, self._before_us = -1, 0, 0

    def __iter__(self) -> Iterator[WindowDetections]:
        self._inferencer.warm_up(self.size)
        with closing(self._live() if self._source.is_live else self._from_file()) as steps:
            begin = time.perf_counter()
            for complete, step in steps:
                if self._source.is_live:  # waiting for events is no work
                    begin = time.perf_counter()
                found = self._detect(step)
                end = time.perf_counter()
                latency_ms = (end - complete) * 1000
                is_late = self.statistics.detected(latency_ms)
                self.statistics.empty += found.num_events == 0
                self.statistics.busy_s += end - begin
                self._count()
                yield replace(found, latency_ms=latency_ms, is_late=is_late)
                begin = time.perf_counter()
        self._count()

    def _detect(self, step: Step) -> WindowDetections:
        inferencer = self._inferencer
        if step.segment != self._segment:
            self._segment, self._steps = step.segment, 0
            self._before_us = step.time_us - round(self.statistics.step_ms * 1000)
        # Where windows were dropped, memory goes on from the one before them
        following, step_us = replace(step, step=self._steps), step.time_us - self._before_us
        self._steps, self._before_us = self._steps + 1, step.time_us
        counts = step.representation(inferencer.histogram, self.size)
        self._memory = inferencer.model.exchange_memory(self._memory)
        try:
            return inferencer.detect(following, counts, self.size, step_us)
        finally:
            self._memory = inferencer.model.exchange_memory(self._memory)

    def _count(self) -> None:
        statistics, dropped = self.statistics, self._queue.dropped
        statistics.windows += dropped - statistics.dropped
        statistics.dropped = dropped
        self._source.count(statistics)

    def _from_file(self) -> Generator[tuple[float, Step], None, None]:
        for step in self._source:
            yield time.perf_counter(), step

    def _live(self) -> Generator[tuple[float, Step], None, None]:
        received(iter(self._source), self._queue)
        try:
            while (taken := self._queue.take()) is not None:
                yield taken
        finally:
            self._queue.leave()
