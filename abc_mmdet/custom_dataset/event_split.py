"""Event recordings in RVT's layout."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from abc_mmdet.datasets.annotations.checks import Issue
from abc_mmdet.datasets.events import EventSequenceDataset

from .box_sizes import BoxSizes
from .class_checks import check_use
from .event_checks import check_recordings
from .event_recordings import EventRecording, EventRecordings
from .network_input import NetworkInput
from .splits import Split


@dataclass(frozen=True)
class EventSplit(Split):
    """The recordings below one folder.

    Args:
        data: what is in it.
    """

    parts: list[EventRecording]
    data: EventRecordings

    unit = 'recordings'
    pixels_are = 'the sensor has'
    without_pixels = 'use another lens or come closer,'
    show_more = 'label more'
    finer_levels = 'configs/finer_levels_100k.py'

    @classmethod
    def look_at(
        cls,
        field: str,
        dataset: EventSequenceDataset,
        _: NetworkInput | None,
        decode: bool,
        progress: bool,
    ) -> EventSplit:
        """Read the recordings of a data set; arguments as of :meth:`CocoSplit.look_at`."""
        data, classes = EventRecordings.read(dataset, decode, progress), dataset.metainfo['classes']
        # Representations go to the network as they are
        sizes = BoxSizes.of_table(
            data.boxes, data.names, classes, lambda shapes: np.full_like(shapes, 1 / data.factor)
        )
        key = cls.key_of(dataset)
        return cls([field], key, tuple(classes), sizes, True, data.recordings, data)

    @staticmethod
    def key_of(dataset: EventSequenceDataset) -> tuple:
        """Equal for data sets that read the same."""
        folder, classes = dataset.data_prefix['recordings'], tuple(dataset.metainfo['classes'])
        return folder, dataset.representation, dataset.downsample, classes

    @property
    def source(self) -> str:
        return f'{self.data.path}, event representations downsampled by {self.data.factor}'

    @property
    def amount(self) -> str:
        return f'{len(self.data.readable)} recordings, {self.data.num_frames} labelled frames'

    def facts(self) -> dict[str, Any]:
        data = self.data
        filled = np.unique(data.boxes.image[data.boxes.used])
        return dict(
            folder=data.path,
            downsample=data.factor,
            recordings=len(data.recordings),
            unreadable_recordings=len(data.recordings) - len(data.readable),
            steps=sum(len(recording.window_ends_us) for recording in data.readable),
            labelled_frames=data.num_frames,
            empty_frames=data.num_frames - len(filled),
            annotations=len(data.labels),
        )

    def input_shapes(self) -> Counter[tuple[int, int]]:
        return Counter((r.shape[2], r.shape[1]) for r in self.data.readable if r.shape is not None)

    def check(self) -> Iterator[Issue]:
        yield from check_recordings(self.data)
        yield from check_use(self.data, self.classes, f'{self.fields[0]}.metainfo.classes')

    @property
    def channels(self) -> set[int]:
        """Of the representations."""
        return {recording.shape[0] for recording in self.data.readable if recording.shape}
