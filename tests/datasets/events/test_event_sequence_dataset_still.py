"""Objects that stand still."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from abc_mmdet.datasets.events.event_sequence_dataset import (
    LOOK_BACK_US,
    STILL_PIXELS,
    still_objects,
)

TRACKED_BOX = np.dtype([('t', '<i8'), *[(name, '<f4') for name in 'xywh'], ('track_id', '<u4')])


def frames_of(rows: list[tuple]) -> list[np.ndarray]:
    """One array per time of the boxes (t in ms, x, y, w, h, track)."""
    boxes = np.array([(1000 * t, *rest) for t, *rest in rows], TRACKED_BOX)
    return [boxes[boxes['t'] == t] for t in np.unique(boxes['t'])]


def flags_of(rows: list[tuple]) -> list[bool]:
    return np.concatenate(still_objects(frames_of(rows))).tolist()


def test_a_car_that_stops_and_goes() -> None:
    xs = [0, 5, 10, 15, 15, 15, 15, 15, 20]
    rows = [(100 * i, x, 0, 10, 10, 1) for i, x in enumerate(xs)]
    # compared with the box 300 ms before
    assert flags_of(rows) == [False] * 6 + [True, True, False]


def test_the_centre_decides() -> None:
    grows = [(0, 10, 10, 10, 10, 1), (300, 8, 8, 14, 14, 1)]
    assert flags_of(grows) == [False, True]
    downwards = [(0, 10, 10, 10, 10, 1), (300, 10, 11.5, 10, 10, 1)]
    assert flags_of(downwards) == [False, False]


def test_tracks_do_not_mix() -> None:
    rows = [(0, 5, 5, 9, 9, 1), (0, 50, 5, 9, 9, 2), (300, 50, 5, 9, 9, 1), (300, 50, 5, 9, 9, 2)]
    assert flags_of(rows) == [False, False, False, True]


def test_a_gap_begins_anew() -> None:
    assert flags_of([(0, 5, 5, 9, 9, 1), (650, 5, 5, 9, 9, 1)]) == [False, True]
    assert flags_of([(0, 5, 5, 9, 9, 1), (651, 5, 5, 9, 9, 1)]) == [False, False]
    assert flags_of([(0, 5, 5, 9, 9, 1), (249, 5, 5, 9, 9, 1)]) == [False, False]


def test_labels_without_tracks_have_no_still_ones() -> None:
    frame = np.zeros(2, [(name, '<f4') for name in 'txywh'])
    assert [flags.tolist() for flags in still_objects([frame, frame[:0]])] == [[False, False], []]


@given(
    st.lists(
        st.tuples(st.integers(1, 400), st.lists(st.tuples(st.integers(0, 2), st.integers(0, 4)))),
        max_size=15,
    )
)
def test_it_is_the_search_through_the_whole_track(steps: list) -> None:
    rows, now = [], 0
    for gap, boxes in steps:
        now += gap
        rows += [(now, x / 2, 3, 4, 4, track) for track, x in dict(boxes).items()]
    expected = []
    for i, (t, x, *_, track) in enumerate(rows):
        earlier = [
            x_before
            for t_before, x_before, *_, other in rows[:i]
            if other == track and LOOK_BACK_US[0] <= 1000 * (t - t_before) <= LOOK_BACK_US[1]
        ]
        expected.append(bool(earlier) and abs(x - earlier[-1]) < STILL_PIXELS)
    if rows:
        assert flags_of(rows) == expected
