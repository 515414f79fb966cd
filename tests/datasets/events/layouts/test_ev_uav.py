"""EV-UAV, on a miniature in the layout of its archives, and boxes from events against a search."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from abc_mmdet.datasets.events.catalogue import EV_UAV
from abc_mmdet.datasets.events.layouts import LAYOUTS, ev_uav, find_sources
from abc_mmdet.datasets.events.layouts.ev_uav import LabelledEvents, boxes_of_events
from abc_mmdet.datasets.hdf5 import open_npz
from abc_mmdet.errors import UserError

from .converted import converted
from .miniatures import EV_UAV_BOXES, EV_UAV_EVENTS, write_ev_uav


@pytest.mark.parametrize('keys', [('ev',), ('ev_loc', 'evs_norm')], ids='+'.join)
def test_windows_frames_and_boxes(keys: tuple[str, ...], tmp_path: Path) -> None:
    write_ev_uav(tmp_path / 'EV-UAV' / 'test' / 'test_000.npz', keys)
    (source,) = find_sources(tmp_path / 'EV-UAV', 'ev-uav')
    assert (source.name, source.split) == ('test_000', 'test')
    found = converted(source, 'ev-uav', tmp_path / 'out')
    assert found.windows_us == [50_000, 100_000, 150_000]
    assert found.events == [4, 3, 1]
    assert found.frames == {
        time: [(*map(float, box[:4]), 'uav') for box in boxes]
        for time, boxes in EV_UAV_BOXES.items()
    }
    assert found.counts['labelled_without_boxes'] == 1

    labels = LAYOUTS['ev-uav'].labels(source, EV_UAV, 20_000).boxes
    assert labels[['t', 'track_id', 'x', 'w']].tolist() == [
        (50_000, 5, 103, 2),
        (100_000, 2, 20, 1),
        (100_000, 5, 106, 1),
    ], 'boxes are of windows as long as those of the events'


def test_an_archive_is_parsed_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_ev_uav(tmp_path / 'EV-UAV' / 'test' / 'test_000.npz')
    (source,) = find_sources(tmp_path / 'EV-UAV', 'ev-uav')
    opened = []

    def counted(path: Path) -> object:
        opened.append(path)
        return open_npz(path)

    monkeypatch.setattr(ev_uav, 'open_npz', counted)
    found = converted(source, 'ev-uav', tmp_path / 'out')
    assert found.events == [4, 3, 1] and found.frames[50_000]
    assert opened == [source.events]


@given(
    st.lists(
        st.tuples(*[st.integers(0, 9)] * 2, st.integers(0, 30), st.booleans(), st.integers(0, 2)),
        max_size=40,
    ),
    st.integers(1, 12),
)
def test_it_is_the_search_through_all_events(rows: list[tuple], window: int) -> None:
    rows.sort(key=lambda row: row[2])
    x, y, t, is_target, target = (
        np.array([row[i] for row in rows], bool if i == 3 else int) for i in range(5)
    )
    frames = np.arange(5, 40, 5)
    expected = []
    for frame in frames.tolist():
        for number in range(3):
            of_it = [
                (a, b)
                for a, b, time, labelled, of in rows
                if labelled and of == number and frame - window <= time <= frame
            ]
            if of_it:
                left, top = (min(values) for values in zip(*of_it, strict=True))
                right, bottom = (max(values) + 1 for values in zip(*of_it, strict=True))
                expected.append((left, top, right - left, bottom - top, frame, 0, number))
    events = LabelledEvents(x, y, x, t, is_target, target)
    assert boxes_of_events(events, frames, window).tolist() == expected


@pytest.mark.parametrize(
    ('field', 'value', 'message'),
    [
        ('t', 4_000_000.0, 'in milliseconds, and its recordings last 8 s'),
        ('t', -1.0, 'an event at t=-1.0'),
        ('label', 2.0, 'label is 2.0, not 0 or 1'),
        ('p', -1.0, 'p is -1.0, not 0 or 1'),
        ('x', np.nan, 'values that are no numbers'),
        ('name', 1e12, 'name is 1000000000000.0, not the number of a target'),
    ],
)
def test_values_that_are_none(field: str, value: float, message: str, tmp_path: Path) -> None:
    path = write_ev_uav(tmp_path / 'train' / 'a.npz')
    with np.load(path) as file:
        events = file['ev']
    events[field][3] = value
    np.savez(path, ev=events)
    (source,) = find_sources(tmp_path, 'ev-uav')
    with pytest.raises(UserError, match=f'a.npz.*{message}'):
        LAYOUTS['ev-uav'].labels(source, EV_UAV, 50_000)


def test_other_archives(tmp_path: Path) -> None:
    path = tmp_path / 'train' / 'a.npz'
    write_ev_uav(path)
    (source,) = find_sources(tmp_path, 'ev-uav')
    rows = np.array(EV_UAV_EVENTS, float)
    for arrays, message in (
        (dict(events=rows), r"\['events'\], not ev"),
        (dict(ev=rows[:, :5]), 'it does not hold the numbers'),
        (dict(ev=np.array([{}], object)), 'cannot be read'),
        (dict(ev_loc=rows[:3, :3], evs_norm=rows), 'differ in length'),
    ):
        np.savez(path, **arrays)
        with pytest.raises(UserError, match=message):
            LAYOUTS['ev-uav'].labels(source, EV_UAV, 50_000)
    np.savez(path, ev=rows)
    assert len(LAYOUTS['ev-uav'].labels(source, EV_UAV, 50_000).boxes) == 3
    np.savez(path, ev=rows[:0])
    assert len(LAYOUTS['ev-uav'].labels(source, EV_UAV, 50_000).boxes) == 0
    path.write_bytes(path.read_bytes()[:40])
    with pytest.raises(UserError, match='cannot be read'):
        LAYOUTS['ev-uav'].labels(source, EV_UAV, 50_000)


def test_events_outside_of_the_sensor_are_left_out(tmp_path: Path) -> None:
    path = write_ev_uav(tmp_path / 'train' / 'a.npz')
    with np.load(path) as file:
        events = file['ev']
    events['x'][[3, 4]] = 400, -1
    np.savez(path, ev=events)
    (source,) = find_sources(tmp_path, 'ev-uav')
    found = converted(source, 'ev-uav', tmp_path / 'out')
    assert found.counts['events_outside'] == 2
    assert found.events == [3, 1, 1]
    assert found.frames[50_000] == [(100, 50, 246, 3, 'uav')]
