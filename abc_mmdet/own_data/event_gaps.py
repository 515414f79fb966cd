"""Labelled frames of recordings in whose time there are no events."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from abc_mmdet.datasets.annotations.finding import NOTE, PROBLEM, Finding, several

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


def check_gaps(data: EventRecordings) -> Iterator[Finding]:
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
            if (number := _empty(r).sum() - sum(len(gap.frames) for gap in gaps[r.path]))
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


def _empty(recording: EventRecording) -> np.ndarray:
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
