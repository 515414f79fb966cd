"""Detection in event recordings and live streams of events, window by window."""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.config import Config
from mmengine.dataset import Compose, pseudo_collate
from mmengine.registry import init_default_scope

from abc_mmdet.apis.experiment import check_checkpoint, load_experiment
from abc_mmdet.checkpoints.loading import weights_only
from abc_mmdet.errors import UserError
from abc_mmdet.models.detectors.streaming_detector import StreamingDetector
from abc_mmdet.models.recurrence import StreamMemory

from .detections import WindowDetections, best_first
from .event_sources import EventSource, Source, SourceOptions, Step
from .model import event_pipeline, histogram_of, load_inference_model, without_auxiliary
from .stream_statistics import StreamStatistics
from .window_queue import WindowQueue, received


class StreamingInferencer:
    """Config and checkpoint as a function from events to detections::

        inferencer = StreamingInferencer('config.py', 'weights.pth')
        for detections in inferencer('recording.raw'):
            print(detections.time_us, detections.names, detections.boxes)

    Windows, representation, pipeline and memory are those of ``tools/test.py`` on the converted
    recording, and so are the detections. Memory begins anew where the clock of the recording jumps.

    Args:
        config: a file or what was read from it; its test data are an :class:`EventSequenceDataset`.
        checkpoint: its weights. Nothing in it is run, see :mod:`abc_mmdet.checkpoints.loading`.
        device: such as ``'cuda:0'``; default: a GPU if there is one.
        count_cutoff: of the representation, as the recordings were converted.
        trust: read a checkpoint that brings Python objects along, which can run any program.

    Raises:
        UserError: files that are missing or do not belong together, a config of no event
            recordings, a device that is not there.
    """

    def __init__(
        self,
        config: str | Path | Config,
        checkpoint: str | Path,
        device: str | None = None,
        count_cutoff: int = 10,
        trust: bool = False,
    ) -> None:
        config = config if isinstance(config, Config) else load_experiment(str(config))
        check_checkpoint(str(checkpoint), 'checkpoint')
        config = without_auxiliary(config)
        transforms = event_pipeline(config)
        self.histogram = histogram_of(config, count_cutoff)
        self.device = device or ('cuda' if torch.cuda.is_available() else 'cpu')
        self.model: Any
        with weights_only(trust or None):
            self.model, self.classes = load_inference_model(config, str(checkpoint), self.device)
        if not isinstance(self.model, StreamingDetector):
            raise UserError(
                f'{config.filename}: model.type is {type(self.model).__name__}; streams are for a '
                'StreamingDetector.'
            )
        init_default_scope('mmdet')
        self._pipeline = Compose(transforms)
        self._warm: set[tuple[int, int]] = set()  # sizes of sensors that were detected in

    def __call__(
        self,
        source: Source,
        size: tuple[int, int] | None = None,
        time_unit: str | None = None,
        step_ms: float | None = None,
        longest_gap_s: float = 10.0,
        when_late: str = 'process',
    ) -> DetectionStream:
        """Detections of every window, as they come.

        Args:
            source: a recording (a file, or a folder in RVT's layout), or a live stream: an
                iterable of chunks of any size, each a structured array or a mapping with x, y, p
                and t, or four arrays ``(x, y, p, t)``. It is read in a thread of its own.
            size: width and height of the sensor; a live stream and arrays need them.
            time_unit: of the times in arrays and live streams: ``us``, ``ms``, ``s`` or ``ns``.
            step_ms: from window to window; default: the length of a window.
            longest_gap_s: a pause without any event is empty windows, a longer one a jump of the
                clock.
            when_late: what becomes of a live stream that is faster than the network: ``process``
                (everything, and the source has to wait) or ``skip`` (windows that waited longer
                than a step while newer ones are there are dropped, and counted). Files wait.

        Raises:
            UserError: a source that cannot be read, an unknown sensor, an option that is none.
        """
        options = SourceOptions(size, time_unit, step_ms, longest_gap_s)
        return DetectionStream(self, EventSource(source, self.histogram, options), when_late)

    @torch.no_grad()
    def detect(
        self, step: Step, counts: np.ndarray, size: tuple[int, int], step_us: int
    ) -> WindowDetections:
        """Detections of one window; the model's memory is that of the step before.

        Args:
            step: the window; its number in the segment counts those that are detected in.
            counts: its representation ``(2 * bins, H, W)``.
            size: width and height of the sensor.
            step_us: from the end of the step before to its own.
        """
        height, width = counts.shape[1:]
        factor = self.histogram.factor
        frame = dict(
            step=0,
            img_id=step.step,
            timestamp_us=step.time_us,
            bboxes=np.zeros((0, 4), np.float32),
            labels=np.zeros(0, np.int64),
            still=np.zeros(0, bool),
        )
        packed = self._pipeline(
            dict(
                recording=step.segment,
                start=step.step,
                stop=step.step + 1,
                seed=0,
                streamed=True,
                sequence=_Window(counts, step_us),
                name='stream',
                frames=[frame],
                scale_factor=(1 / factor, 1 / factor),
                ori_shape=(height * factor, width * factor),
                sample_idx=step.step,
            )
        )
        (sample,) = self.model.test_step(pseudo_collate([packed]))
        return WindowDetections(
            **best_first(sample.pred_instances, size),
            classes=self.classes,
            size=size,
            source=counts,
            time_us=step.time_us,
            number=step.number,
            segment=step.segment,
            num_events=step.num_events,
        )

    def warm_up(self, size: tuple[int, int]) -> None:
        """Detect in nothing, so that the first window of a stream is as fast as the others.

        Once for all streams of a sensor of this size.
        """
        if size in self._warm:
            return
        counts = np.zeros(self.histogram.shape(size), np.uint8)
        one = np.zeros(1, np.int64)
        self.histogram(one, one, one, one, size)
        before = self.model.exchange_memory(StreamMemory())
        self.detect(Step(0, 0, 0, 0, counts), counts, size, self.histogram.window_ms * 1000)
        self.model.exchange_memory(before)
        self._warm.add(size)


class DetectionStream:
    """Detections window by window; goes through its source once.

    Attributes:
        size: width and height of the sensor, pixels.
        name: of the recording.
        statistics: of the windows until now.
    """

    def __init__(
        self, inferencer: StreamingInferencer, source: EventSource, when_late: str
    ) -> None:
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


class _Window:
    """What a pipeline asks a sequence for, of a clip of one step."""

    def __init__(self, counts: np.ndarray, step_us: int) -> None:
        self._counts = counts
        self.step_us = _EveryStep(step_us)

    def representations(self, start: int, stop: int) -> np.ndarray:
        return self._counts[None]


class _EveryStep:
    """As an array of any length that holds one number."""

    def __init__(self, value: int) -> None:
        self._value = value

    def __getitem__(self, part: slice) -> np.ndarray:
        return np.full(part.stop - part.start, self._value)
