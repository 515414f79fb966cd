"""Defects of the recordings of an event data set."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import numpy as np

from abc_mmdet.datasets.annotations.finding import NOTE, PROBLEM, WARNING, Finding, several

from .annotation_check import check_duplicates, check_geometry
from .copies import same_content
from .event_gaps import check_gaps
from .event_recordings import EventRecording, EventRecordings

JITTER_US = 2_000
"""By how much a label and the end of its window may differ; as RVT chooses labelled frames."""

_AGAIN = 'delete its folder and convert it again (tools/dataset_converters/prophesee.py)'
_USELESS = 'nothing can be learnt from them'


def check_recordings(data: EventRecordings) -> Iterator[Finding]:
    """Everything that is wrong with files, times and boxes, whatever the classes of the config."""
    if not data.recordings:
        yield Finding('no_recordings', PROBLEM, data.path, 'there are no recordings in it')
    yield from _files(data)
    yield from _times(data)
    yield from several(
        'unknown_class_id',
        PROBLEM,
        data.path,
        f'boxes whose class_id none of the {len(data.names)} classes of the catalogue has: reading '
        'them ends the training. Is dataset.catalogue right?',
        (data.describe(row) for row in np.flatnonzero(data.boxes.category < 0)),
    )
    yield from check_geometry(data, 'frame', _USELESS)
    yield from check_duplicates(data, 'frame')
    yield from _empty(data)
    yield from check_gaps(data)


def _files(data: EventRecordings) -> Iterator[Finding]:
    yield from several(
        'missing_recordings',
        PROBLEM,
        data.path,
        'folders hold no event representations, and the data set passes them over: convert these '
        'recordings, or move the folders away',
        (recording.name for recording in data.recordings if recording.state == 'missing'),
    )
    yield from several(
        'unreadable_recordings',
        PROBLEM,
        data.path,
        'recordings cannot be read',
        (f'{r.name}: {r.state}' for r in data.recordings if r.state not in ('fine', 'missing')),
    )
    shapes = Counter(recording.shape for recording in data.readable)
    for usual, _ in shapes.most_common(1):
        yield from several(
            'other_shapes',
            PROBLEM,
            data.path,
            f'recordings have another number of channels or another resolution than most (C, H, W '
            f'{usual}), and cannot be in a batch with them',
            (f'{r.name}: {r.shape}' for r in data.readable if r.shape != usual),
        )
    yield from several(
        'duplicate_recordings',
        WARNING,
        data.path,
        'recordings are there under several names',
        same_content(data.readable),
    )


def _times(data: EventRecordings) -> Iterator[Finding]:
    yield from several(
        'unordered_times',
        PROBLEM,
        data.path,
        f'recordings whose windows or labelled frames are not in order of time: {_AGAIN}',
        (recording.name for recording in data.readable if not _is_in_order(recording)),
    )
    times, labels = data.labels[:, 0], data.recording_of_box
    starts = np.array([_first(r) - data.window_us for r in data.readable] + [0])[labels]
    ends = np.array([_last(r) for r in data.readable] + [0])[labels]
    outside = (times < starts) | (times > ends)
    windows = [r.window_ends_us[r.frame_steps[r.frame_of_label]] for r in data.readable]
    beside = abs(np.concatenate([np.zeros(0), *windows]) - times) > JITTER_US
    for kind, rows, message in (
        (
            'labels_outside_recording',
            outside,
            'labels are of a time before the first or after the last event that was kept: are they '
            'those of another recording?',
        ),
        (
            'labels_beside_windows',
            beside & ~outside,
            f'labels are of another time than the end of their window of events (by more than '
            f'{JITTER_US / 1000:g} ms), so boxes and events do not belong together: {_AGAIN}',
        ),
    ):
        found = (data.describe(row) for row in np.flatnonzero(rows))
        yield from several(kind, PROBLEM, data.path, message, found)


def _is_in_order(recording: EventRecording) -> bool:
    both = (recording.window_ends_us, recording.frame_steps)
    return all((np.diff(times) > 0).all() for times in both)


def _first(recording: EventRecording) -> float:
    return recording.window_ends_us.min(initial=np.iinfo(np.int64).max)


def _last(recording: EventRecording) -> float:
    return recording.window_ends_us.max(initial=0)


def _empty(data: EventRecordings) -> Iterator[Finding]:
    used = np.bincount(data.recording_of_box[data.boxes.used], minlength=len(data.readable))
    empty = [r.name for r, number in zip(data.readable, used, strict=True) if not number]
    yield from several(
        'empty_recordings',
        WARNING if len(empty) > len(data.readable) / 2 else NOTE,
        data.path,
        f'of {len(data.readable)} recordings without a usable box: background, if that is meant',
        empty,
    )
    frames = data.num_frames - len(np.unique(data.boxes.image[data.boxes.used]))
    if frames:
        message = f'{frames} of {data.num_frames} labelled frames have no usable box'
        level = WARNING if frames > data.num_frames / 2 else NOTE
        yield Finding('empty_frames', level, data.path, message, frames)
    yield from several(
        'no_events',
        PROBLEM,
        data.path,
        f'recordings do not have a single event: {_AGAIN}',
        (r.name for r in data.readable if r.has_events is not None and not r.has_events.any()),
    )
