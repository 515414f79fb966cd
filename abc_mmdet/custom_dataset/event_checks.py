"""Checks of event recordings: files, times, and frames without events."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from abc_mmdet.datasets.annotations.checks import NOTE, PROBLEM, WARNING, Issue, several

from .annotation_checks import check_duplicates, check_geometry
from .duplicates import same_content
from .event_recordings import EventRecording, EventRecordings

GAP_US = 1_000_000
"""So long without a single event is no still scene: every sensor has noise."""
SHARE = 20
"""A gap is a problem if it takes more than one in so many labelled frames, as when converting."""


@dataclass(frozen=True)
class Gap:
    """Windows without any event, one after the other.

    Args:
        place: ``start``, ``end`` or ``middle`` of the recording.
        frames: numbers of the labelled frames in them, from 0.
        times_us: end of the first and of the last window.
    """

    place: str
    frames: np.ndarray
    times_us: tuple[int, int]


def check_gaps(data: EventRecordings) -> Iterator[Issue]:
    """Recordings whose labels and events are not of the same time, and single empty frames.

    A recording without a single event is not among them.
    """
    seen = [r for r in data.readable if r.has_events is not None and r.has_events.any()]
    gaps = {r.path: gaps_of(r) for r in seen}
    for kind, places, message in (
        (
            'labels_without_events',
            ('start', 'end'),
            'recordings have labelled frames before their first or after their last event, which '
            'teach a network to see nothing: the clocks of labels and events differ, or times in '
            'the file of events are wrong. Put the times right and convert them again',
        ),
        (
            'interrupted_events',
            ('middle',),
            'recordings have labelled frames in a time of a second or more without a single event: '
            'a part is missing, or times in the file of events are wrong. Cut the labels of that '
            'time, or put the times right, and convert them again',
        ),
    ):
        found = (_describe(r, gap) for r in seen for gap in gaps[r.path] if gap.place in places)
        yield from several(kind, PROBLEM, data.path, message, found)
    yield from several(
        'frames_without_events',
        NOTE,
        data.path,
        'recordings have labelled frames without any event in their window: only a network that '
        'remembers can find anything there',
        (
            f'{r.name}: {number} of {len(r.frame_steps)} frames'
            for r in seen
            if (number := _is_empty_frame(r).sum() - sum(len(gap.frames) for gap in gaps[r.path]))
        ),
    )


def gaps_of(recording: EventRecording) -> list[Gap]:
    """The gaps of a recording that are a problem, in order.

    Args:
        recording: with ``has_events``, true somewhere.
    """
    has_events = recording.has_events
    assert has_events is not None
    borders = np.flatnonzero(np.diff(np.concatenate([[1], has_events, [1]]).astype(int)))
    found = []
    for first, behind in borders.reshape(-1, 2).tolist():
        steps = recording.frame_steps
        frames = np.flatnonzero((steps >= first) & (steps < behind))
        begin, end = recording.window_ends_us[[first, behind - 1]].tolist()
        at_border = 'start' if first == 0 else 'end' if behind == len(has_events) else ''
        is_long = at_border or end - begin >= GAP_US
        if is_long and len(frames) * SHARE > len(steps):
            found.append(Gap(at_border or 'middle', frames, (begin, end)))
    return found


def _is_empty_frame(recording: EventRecording) -> np.ndarray:
    assert recording.has_events is not None
    return ~recording.has_events[recording.frame_steps]


def _describe(recording: EventRecording, gap: Gap) -> str:
    begin, end = (time / 1e6 for time in gap.times_us)
    which = {
        'start': 'before the first event',
        'end': 'after the last event',
        'middle': 'without events',
    }[gap.place]
    return (
        f'{recording.name}: frames {gap.frames[0]} to {gap.frames[-1]} of '
        f'{len(recording.frame_steps)} ({begin:.2f} s to {end:.2f} s) {which}'
    )


JITTER_US = 2_000
"""By how much a label and the end of its window may differ; as RVT chooses labelled frames."""

_AGAIN = 'delete its folder and convert it again (tools/dataset_converters/event_recordings.py)'
_USELESS = 'nothing can be learnt from them'


def check_recordings(data: EventRecordings) -> Iterator[Issue]:
    """Everything that is wrong with files, times and boxes, whatever the classes of the config."""
    if not data.recordings:
        yield Issue('no_recordings', PROBLEM, data.path, 'there are no recordings in it')
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


def _files(data: EventRecordings) -> Iterator[Issue]:
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


def _times(data: EventRecordings) -> Iterator[Issue]:
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


def _empty(data: EventRecordings) -> Iterator[Issue]:
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
        yield Issue('empty_frames', level, data.path, message, frames)
    yield from several(
        'no_events',
        PROBLEM,
        data.path,
        f'recordings do not have a single event: {_AGAIN}',
        (r.name for r in data.readable if r.has_events is not None and not r.has_events.any()),
    )
