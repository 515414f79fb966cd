"""A recording converted and read back."""

from pathlib import Path
from typing import NamedTuple

from abc_mmdet.datasets.events.catalogue import CATALOGUE
from abc_mmdet.datasets.events.conversion import ConversionSettings, convert
from abc_mmdet.datasets.events.layouts import Source
from abc_mmdet.datasets.events.rvt_layout import RVTSequence
from abc_mmdet.datasets.events.stacked_histogram import StackedHistogram


class Converted(NamedTuple):
    windows_us: list[int]
    events: list[int]
    frames: dict[int, list[tuple]]
    counts: dict


def converted(source: Source, dataset: str, out: Path, box_filter: str = 'clip') -> Converted:
    """Ends of windows, events in each of them, (x, y, w, h, class) by frame, and what was counted.

    No pixel of the miniatures has as many events in a bin as are cut off.
    """
    entry = CATALOGUE[dataset]
    histogram = StackedHistogram(window_ms=entry.window_ms, downsample='none')
    settings = ConversionSettings(dataset, histogram, box_filter, entry.step_ms)
    counts = convert(source, out, settings)
    sequence = RVTSequence(out / source.split / source.name, histogram.name)
    assert sequence.shape == (20, entry.size[1], entry.size[0])
    data = sequence.representations(0, sequence.num_steps)
    labels = {
        int(time): [
            (*(float(box[name]) for name in 'xywh'), entry.classes[int(box['class_id'])])
            for box in sequence.labels(i)
        ]
        for i, time in enumerate(sequence.frame_times_us)
    }
    steps = sequence.window_ends_us[sequence.frame_steps]
    assert steps.tolist() == sequence.frame_times_us.tolist()
    events = data.reshape(len(data), -1).sum(axis=1, dtype=int).tolist()
    return Converted(sequence.window_ends_us.tolist(), events, labels, counts)
