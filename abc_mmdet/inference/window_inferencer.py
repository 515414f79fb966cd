"""A detector of events as a function from a source to the detections of its windows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from mmengine.dataset import Compose, pseudo_collate
from mmengine.registry import init_default_scope

from abc_mmdet.datasets.events.stacked_histogram import StackedHistogram
from abc_mmdet.models.recurrence import StreamMemory

from .detection_stream import DetectionStream
from .detections import WindowDetections, best_first
from .event_sources import EventSource, Source, SourceOptions, Step


class WindowInferencer:
    """Calls a network on the windows of recordings and live streams, whatever runs it.

    Args:
        model: a detector with ``test_step`` that keeps a :class:`StreamMemory`, which
            ``exchange_memory`` replaces, as :class:`StreamingDetector`.
        classes: names, by label.
        histogram: the representation of a window.
        transforms: pipeline from a clip to packed inputs, as in testing.
    """

    def __init__(
        self,
        model: Any,
        classes: Sequence[str],
        histogram: StackedHistogram,
        transforms: Sequence[dict[str, Any]],
    ) -> None:
        init_default_scope('mmdet')
        self.model = model
        self.classes = tuple(classes)
        self.histogram = histogram
        self._pipeline = Compose(list(transforms))
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
            UserError: a source that cannot be read, an unknown sensor, or one that the network
                does not take, an option that is none.
        """
        options = SourceOptions(size, time_unit, step_ms, longest_gap_s)
        opened = EventSource(source, self.histogram, options)
        self.check_size(opened.size)
        return DetectionStream(self, opened, when_late)

    def check_size(self, size: tuple[int, int]) -> None:
        """Refuse a sensor of this width and height, if the network cannot take its windows.

        Raises:
            UserError: it cannot.
        """

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
