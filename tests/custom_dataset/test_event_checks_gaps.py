"""Labelled frames in whose time a recording has no events."""

import numpy as np
import pytest

from abc_mmdet.custom_dataset.event_checks import check_gaps
from abc_mmdet.custom_dataset.event_recordings import EventRecording, EventRecordings


def recording(silent: slice | list[int], frames: int = 199) -> EventRecording:
    """Windows of 50 ms, of which every second one is labelled."""
    has_events = np.ones(2 * frames, bool)
    has_events[silent] = False
    ends = 50_000 * np.arange(1, 2 * frames + 1)
    return EventRecording(
        'val/street',
        shape=(20, 32, 48),
        window_ends_us=ends,
        frame_steps=np.arange(1, 2 * frames, 2),
        has_events=has_events,
    )


def found(one: EventRecording) -> list[tuple[str, str, str]]:
    data = EventRecordings('val', ['car'], 1, 50_000, [one])
    return [(f.kind, f.level, f.examples[0]) for f in check_gaps(data)]


def test_events_that_begin_after_the_labels() -> None:
    """Labels from 0.1 s on, events from 6.45 s: 64 of 199 frames."""
    assert found(recording(slice(0, 128))) == [
        (
            'labels_without_events',
            'problem',
            'street: frames 0 to 63 of 199 (0.05 s to 6.40 s) before the first event',
        )
    ]


def test_all_that_follows_one_odd_time() -> None:
    assert found(recording(slice(100, 398))) == [
        (
            'labels_without_events',
            'problem',
            'street: frames 50 to 198 of 199 (5.05 s to 19.90 s) after the last event',
        )
    ]


def test_a_part_that_is_missing() -> None:
    assert found(recording(slice(100, 160))) == [
        (
            'interrupted_events',
            'problem',
            'street: frames 50 to 79 of 199 (5.05 s to 8.00 s) without events',
        )
    ]


@pytest.mark.parametrize(
    ('silent', 'number'),
    [
        (slice(0, 4), 2),  # the sensor had just been switched on
        (list(range(1, 100, 6)), 17),  # here and there
        (slice(100, 118), 9),  # less than a second
        (slice(100, 120), 10),  # windows that end within a second
    ],
)
def test_single_frames_are_noted(silent: slice | list[int], number: int) -> None:
    expected = [('frames_without_events', 'note', f'street: {number} of 199 frames')]
    assert found(recording(silent)) == expected
    assert found(recording([])) == []


def test_both_at_once() -> None:
    gap, note = found(recording([*range(128), 201]))
    assert gap[0] == 'labels_without_events' and note[2] == 'street: 1 of 199 frames'
