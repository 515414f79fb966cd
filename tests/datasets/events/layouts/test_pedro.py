"""PEDRo, on a miniature and on three of its samples."""

import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from abc_mmdet.datasets.events.catalogue import PEDRO
from abc_mmdet.datasets.events.layouts import LAYOUTS, find_sources
from abc_mmdet.errors import UserError

from .converted import converted
from .miniatures import PEDRO_SAMPLES, PEDRO_START, write_pedro

RECORDINGS = Path(
    os.environ.get('ABC_EVENT_RECORDINGS', Path(__file__).parents[5] / 'shared/data/events')
)


@pytest.mark.parametrize('side_by_side', [False, True])
def test_what_follows_without_a_gap_is_a_recording(side_by_side: bool, tmp_path: Path) -> None:
    folder = write_pedro(tmp_path / 'PEDRo')
    if side_by_side:
        for file in folder.rglob('frame*'):
            (tmp_path / 'flat' / 'val').mkdir(parents=True, exist_ok=True)
            shutil.copy(file, tmp_path / 'flat' / 'val')
        folder = tmp_path / 'flat'
    first, second = find_sources(folder, 'pedro')
    assert (first.name, first.split) == ('frame0000009', 'val')
    assert [path.stem for path in first.parts] == ['frame0000009', 'frame0000010']
    assert [path.stem for path in second.parts] == ['frame0000003']

    found = converted(first, 'pedro', tmp_path / 'out')
    assert found.windows_us == [39_990, 80_000]
    assert found.events == [2, 3]
    assert found.frames == {39_990: [(28, 85, 124, 175, 'person')], 80_000: []}
    assert found.counts['events_between'] == 0

    found = converted(second, 'pedro', tmp_path / 'out')
    assert found.frames == {40_000: [(300, 100, 46, 140, 'person'), (0, 0, 10, 20, 'person')]}
    assert found.events == [2]


def test_real_samples(tmp_path: Path) -> None:
    folder = RECORDINGS / 'pedro'
    if not folder.is_dir():
        pytest.skip('no samples of PEDRo: ABC_EVENT_RECORDINGS names the folder')
    boxes = {
        'frame0000009': (28, 85, 124, 175),
        'frame0000092': (109, 101, 92, 159),
        'frame0001566': (82, 47, 88, 213),
    }
    for source in find_sources(folder, 'pedro'):
        box = boxes.pop(source.name)
        found = converted(source, 'pedro', tmp_path)
        events = np.load(folder / 'val' / f'{source.name}.npy')
        t = events[:, 0] - events[0, 0]
        (end,) = found.windows_us
        assert end == t[-1]
        assert found.frames == {end: [(*box, 'person')]}
        assert found.counts['events'] == len(events)
        assert found.counts['events_between'] == (t < end - 40_000).sum() <= 1
        (written,) = found.events
        assert written == len(events) - found.counts['events_between'], 'none is cut off'
    assert not boxes


@pytest.mark.parametrize(
    ('files', 'message'),
    [
        ('numpy/val/frame0000010.npy', r'1 of 3 samples have no events .* such as frame0000010'),
        ('xml/val/frame0000009.xml', r'1 of 3 samples have no labels .* such as frame0000009'),
    ],
)
def test_samples_without_labels_and_labels_without_samples(
    files: str, message: str, tmp_path: Path
) -> None:
    write_pedro(tmp_path)
    (tmp_path / files).unlink()
    with pytest.raises(UserError, match=message):
        find_sources(tmp_path, 'pedro')


@pytest.mark.parametrize(
    ('events', 'message'),
    [
        (np.zeros((3, 4)), 'not whole numbers'),
        (np.zeros((3, 5), int), 'no sample of PEDRo'),
        (np.zeros((0, 4), int), 'has no event'),
        (np.array([[0, 1, 1, 0], [43_000, 1, 1, 0]]), 'lasts 40000 µs'),
        (np.array([[5, 6, PEDRO_START, 1], [4, 6, PEDRO_START, 1]]), 'columns t, x, y, p'),
    ],
    ids=['floats', 'columns', 'empty', 'long', 'order'],
)
def test_other_arrays(events: np.ndarray, message: str, tmp_path: Path) -> None:
    write_pedro(tmp_path)
    np.save(tmp_path / 'numpy' / 'val' / 'frame0000003.npy', events)
    with pytest.raises(UserError, match=f'frame0000003.npy.*{message}'):
        find_sources(tmp_path, 'pedro')


def test_damaged_files_and_polarities(tmp_path: Path) -> None:
    folder = write_pedro(tmp_path / 'PEDRo')
    source = find_sources(folder, 'pedro')[1]
    rows = np.array(PEDRO_SAMPLES[3][0])
    rows[:, 3] = -1
    np.save(source.events, rows)
    with pytest.raises(UserError, match='a polarity of -1'):
        converted(source, 'pedro', tmp_path / 'out')
    assert not list((tmp_path / 'out').rglob('*')), 'nothing half written'
    source.events.write_bytes(source.events.read_bytes()[:50])
    with pytest.raises(UserError, match=r'damaged or no \.npy'):
        find_sources(folder, 'pedro')
    np.savez(source.events.with_suffix('.npz'), rows)
    source.events.with_suffix('.npz').rename(source.events)
    with pytest.raises(UserError, match='it is an archive'):
        find_sources(folder, 'pedro')


@pytest.mark.parametrize(
    ('old', 'new', 'message'),
    [
        ('person', 'car', r"object 1 is a 'car', but PEDRo has \['person'\]"),
        ('<xmin>28</xmin>', '', 'object 1 has no bndbox'),
        ('<xmin>28</xmin>', '<xmin>left</xmin>', 'object 1 has no bndbox'),
        ('<xmin>28</xmin>', '<xmin>inf</xmin>', 'object 1 has no bndbox'),
        ('</annotation>', '', 'damaged or no XML file'),
        ('<annotation>', '<!DOCTYPE a [<!ENTITY b "c">]><annotation>', 'it defines entities'),
    ],
    ids=['class', 'no corner', 'no number', 'infinite', 'damaged', 'entities'],
)
def test_labels_that_cannot_be_read(old: str, new: str, message: str, tmp_path: Path) -> None:
    source = find_sources(write_pedro(tmp_path), 'pedro')[0]
    assert source.boxes is not None
    source.boxes.write_text(source.boxes.read_text().replace(old, new))
    with pytest.raises(UserError, match=message):
        LAYOUTS['pedro'].labels(source, PEDRO, 40_000)
