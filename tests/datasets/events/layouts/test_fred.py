"""FRED, on a miniature in the layout of its archives."""

from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from abc_mmdet.datasets.events.catalogue import FRED
from abc_mmdet.datasets.events.labels import BOX
from abc_mmdet.datasets.events.layouts import LAYOUTS, Source, find_sources
from abc_mmdet.errors import UserError

from .converted import converted
from .miniatures import write_fred


def labels_of(folder: Path, *lines: str) -> np.ndarray:
    write_fred(folder / 'train' / '0', lines)
    (source,) = find_sources(folder, 'fred')
    return LAYOUTS['fred'].labels(source, FRED, 50_000).boxes


def test_windows_frames_and_boxes(tmp_path: Path) -> None:
    write_fred(tmp_path / 'FRED' / 'train' / '0')
    (source,) = find_sources(tmp_path / 'FRED', 'fred')
    found = converted(source, 'fred', tmp_path / 'out')
    # frames are every third label from 100 ms on, windows end half way and at the frames
    assert found.windows_us == [83_332, 133_332, 183_331, 233_331]
    assert found.events == [1, 3, 2, 1]
    assert found.frames == {
        133_332: [(494, 290, 40, 30, 'drone')],
        233_331: [(497, 290, 40, 30, 'drone'), (1270, 0, 10, 10, 'drone')],
    }
    assert found.counts['events'] == 7 and found.counts['boxes_read'] == 8


def test_lines_of_older_releases(tmp_path: Path) -> None:
    for line, track in (
        ('1.33332: 490.0, 413.0, 539.0, 448.0, 1, DJI Mini 2', 1),
        ('1.33332: 490.0, 413.0, 539.0, 448.0, 3.0', 3),
        ('1.33332: 490.0, 413.0, 539.0, 448.0', 0),
        ('1.33332:490,413,539,448,2,darwinfpv cineape20ger ', 2),
    ):
        boxes = labels_of(tmp_path, line, '')
        assert boxes.tolist() == [(490.0, 413.0, 49.0, 35.0, 1_333_320, 0, track)]
        assert boxes.dtype == BOX


@pytest.mark.parametrize(
    ('line', 'message'),
    [
        ('0.1: 1, 2, 3, 4, 1, Parrot', r"coordinates\.txt, line 2: class 'Parrot', but the drones"),
        ('0.1: 1, 2, 3', 'line 2: .* is not "time: x1, y1, x2, y2'),
        ('0.1, 1, 2, 3, 4, 5', 'line 2: .* is not'),
        ('-0.1: 1, 2, 3, 4', 'line 2: .* is not'),
        ('nan: 1, 2, 3, 4', 'line 2: .* is not'),
        ('99999: 1, 2, 3, 4', 'within a day'),
        ('0.1: 1, 2, 3, 4, 99999999999', 'line 2: .* is not'),
    ],
)
def test_lines_that_are_none(line: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=message):
        labels_of(tmp_path, '0.0: 1, 2, 3, 4', line)


NUMBER = st.one_of(st.integers(), st.floats(), st.sampled_from(['', '1.', '9' * 5000]))


@given(st.lists(NUMBER, min_size=1, max_size=7), st.sampled_from([': ', ':', ', ']), st.text())
def test_any_line_is_a_label_or_a_mistake(
    tmp_path_factory: pytest.TempPathFactory, numbers: list, colon: str, rest: str
) -> None:
    path = tmp_path_factory.mktemp('fred') / 'coordinates.txt'
    line = f'{numbers[0]}{colon}{", ".join(map(str, numbers[1:]))}, {rest}'
    path.write_text(line, encoding='utf-8', errors='replace')
    source = Source('0', 'train', path, path)
    try:
        labels = LAYOUTS['fred'].labels(source, FRED, 50_000)
    except UserError as error:
        assert str(path) in str(error)
    else:
        assert labels.boxes.dtype == BOX


def test_which_files_are_taken(tmp_path: Path) -> None:
    write_fred(tmp_path / 'train' / '7')
    for name in ('train/8/Event/events.raw', 'train/9/coordinates.txt', 'test/1/RGB/a.jpg'):
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).touch()
    found = {source.name: source.events.name for source in find_sources(tmp_path, 'fred')}
    assert found == {'7': 'events.hdf5', '8': 'events.raw', '9': 'events.hdf5'}


def test_archives_have_to_be_unpacked(tmp_path: Path) -> None:
    (tmp_path / 'train').mkdir()
    (tmp_path / 'train' / '0.zip').touch()
    with pytest.raises(UserError, match=r'0\.zip and others are packed'):
        find_sources(tmp_path, 'fred')


def test_a_clock_that_begins_later_is_refused(tmp_path: Path) -> None:
    write_fred(tmp_path / 'FRED' / 'train' / '0', shift_us=999_000)
    (source,) = find_sources(tmp_path / 'FRED', 'fred')
    assert LAYOUTS['fred'].recording(source, FRED, None).size == (1280, 720)
    write_fred(tmp_path / 'FRED' / 'train' / '0', shift_us=999_001)
    with pytest.raises(UserError, match=r'the first event is at 1\.000 s'):
        converted(source, 'fred', tmp_path / 'out')


def test_files_of_events_that_cannot_be_read(tmp_path: Path) -> None:
    sequence = write_fred(tmp_path / 'FRED' / 'train' / '0')
    (source,) = find_sources(tmp_path / 'FRED', 'fred')
    path = sequence / 'Event' / 'events.hdf5'
    with h5py.File(path, 'w') as file:
        file['events/t'] = [1]
    with pytest.raises(UserError, match='no dataset events/x, and no CD/events'):
        converted(source, 'fred', tmp_path / 'out')
    path.write_bytes(b'no HDF5')
    with pytest.raises(UserError, match=r'events\.hdf5 cannot be read'):
        converted(source, 'fred', tmp_path / 'out')
    path.unlink()
    with pytest.raises(UserError, match='labels without events'):
        converted(source, 'fred', tmp_path / 'out')
    assert not list((tmp_path / 'out').glob('*/*'))
