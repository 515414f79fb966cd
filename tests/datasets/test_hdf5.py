"""Event files that point elsewhere, or declare more than they hold."""

from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from abc_mmdet.datasets import hdf5
from abc_mmdet.datasets.events.labels import read_boxes
from abc_mmdet.datasets.events.recording import Recording
from abc_mmdet.datasets.events.rvt_layout import RVTSequence
from abc_mmdet.datasets.hdf5 import LARGEST_CHUNK
from abc_mmdet.errors import UserError

from .events.conftest import write_recording  # noqa: F401  a fixture

COLUMNS = dict(x=np.arange(5, dtype='u2'), y=np.arange(5, dtype='u2'))
COLUMNS.update(p=np.ones(5, 'u1'), t=np.arange(5) * 1000)


def elsewhere(file: h5py.File, folder: Path) -> None:
    with h5py.File(folder / 'other.h5', 'w') as other:
        other['x'] = COLUMNS['x']
    file['events/x'] = h5py.ExternalLink('other.h5', '/x')


def within(file: h5py.File, folder: Path) -> None:
    file['events/x'] = h5py.SoftLink('/events/y')


def raw(file: h5py.File, folder: Path) -> None:
    (folder / 'secret').write_bytes(bytes(range(10)))
    path = str(folder / 'secret').encode()
    file.create_dataset('events/x', (5,), 'u2', external=[(path, 0, 10)])


def virtual(file: h5py.File, folder: Path) -> None:
    with h5py.File(folder / 'other.h5', 'w') as other:
        other['x'] = COLUMNS['x']
    layout = h5py.VirtualLayout((5,), 'u2')
    layout[:] = h5py.VirtualSource(str(folder / 'other.h5'), 'x', (5,))
    file.create_virtual_dataset('events/x', layout)


def large_chunk(file: h5py.File, folder: Path) -> None:
    file.create_dataset('events/x', (5,), 'u2', maxshape=(None,), chunks=(LARGEST_CHUNK,))


def packed_twice(file: h5py.File, folder: Path) -> None:
    plan = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    plan.set_chunk((5,))
    plan.set_deflate(9)
    plan.set_deflate(9)
    space, kind = h5py.h5s.create_simple((5,)), h5py.h5t.NATIVE_UINT16
    h5py.h5d.create(file['events'].id, b'x', kind, space, plan)


def floats(file: h5py.File, folder: Path) -> None:
    file['events/x'] = np.array([0, 1, 2, np.nan, np.inf])


def text(file: h5py.File, folder: Path) -> None:
    file['events/x'] = ['a'] * 5


def records(file: h5py.File, folder: Path) -> None:
    file['events/x'] = np.zeros(5, [('a', 'u1', (1000,))])


def flat(file: h5py.File, folder: Path) -> None:
    file['events/x'] = np.zeros((5, 1), 'u2')


def a_group(file: h5py.File, folder: Path) -> None:
    file.create_group('events/x')


@pytest.mark.parametrize(
    ('make', 'message'),
    [
        (elsewhere, r'events/x is a link to other\.h5:/x'),
        (within, r'events/x is a link to :/events/y'),
        (raw, r'events/x lies in other files'),
        (virtual, r'events/x lies in other files'),
        (large_chunk, r'events/x is packed in chunks of 536,870,912 bytes'),
        (packed_twice, r'events/x is compressed more than once'),
        (floats, r'events/x holds float64'),
        (text, r'events/x holds object'),
        (records, r'events/x holds \[\(.a.'),
        (flat, r'events/x has 2 dimensions'),
        (a_group, r'events/x is no data set'),
    ],
)
def test_columns(make: Callable[[h5py.File, Path], None], message: str, tmp_path: Path) -> None:
    path = tmp_path / 'a.h5'
    with h5py.File(path, 'w') as file:
        for name in 'ypt':
            file[f'events/{name}'] = COLUMNS[name]
        make(file, tmp_path)
    with pytest.raises(UserError, match=rf'a\.h5.*{message}'):
        Recording(path, (32, 24))
    with h5py.File(path, 'a') as file:
        del file['events/x']
        file['events/x'] = COLUMNS['x']
    assert Recording(path, (32, 24)).time_span() == (0, 4000)


def test_terabytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / 'a.h5'
    with h5py.File(path, 'w') as file:
        for name, column in COLUMNS.items():
            file.create_dataset(f'events/{name}', (1 << 40,), column.dtype, chunks=(1000,))
    with pytest.raises(UserError, match=r'events/x declares 2,199,023,255,552 bytes'):
        Recording(path, (32, 24))
    assert path.stat().st_size < 50_000


@pytest.mark.parametrize('size', [(0, 5), (-3, 5), (100_000, 5), (2.5, 3), ([1, 2], 5)])
def test_sensors(size: tuple, tmp_path: Path) -> None:
    path = tmp_path / 'a.h5'
    with h5py.File(path, 'w') as file:
        for name, column in COLUMNS.items():
            file[f'events/{name}'] = column
        file['events/width'], file['events/height'] = size
    with pytest.raises(UserError, match=r'a\.h5: (a sensor of|events/width and)'):
        Recording(path)


def test_more_than_a_day(tmp_path: Path) -> None:
    path = tmp_path / 'a.h5'
    with h5py.File(path, 'w') as file:
        for name, column in COLUMNS.items():
            file[f'events/{name}'] = column * 10**9 if name == 't' else column
    with pytest.raises(UserError, match='more than a day'):
        Recording(path, (32, 24)).time_span()
    labels = np.zeros(1, [('t', 'u8'), *[(k, 'f4') for k in 'xywh'], ('class_id', 'u4')])
    for time in (-1, 10**17, np.nan):
        with np.errstate(invalid='ignore'):
            wrong = labels.astype([('t', 'f8'), *labels.dtype.descr[1:]])
        wrong['t'] = time
        np.save(tmp_path / 'a_bbox.npy', wrong)
        with pytest.raises(UserError, match=r'a_bbox\.npy: a label at t='):
            read_boxes(tmp_path / 'a_bbox.npy', ('a',))


def test_representations(write_recording, tmp_path: Path) -> None:  # noqa: F811
    events = 'event_representations_v2/stacked_histogram_dt=50_nbins=10'
    for name, shape, message in (
        ('huge', (4, 20, 100_000, 100_000), 'a representation of 200,000,000,000 bytes'),
        ('flat', (4, 20, 32), 'with four dimensions'),
    ):
        write_recording(tmp_path / name, 4, [1, 3])
        with h5py.File(tmp_path / name / events / 'event_representations.h5', 'w') as file:
            file.create_dataset('data', shape, 'u1', chunks=(1,) * len(shape))
        with pytest.raises(UserError, match=message):
            RVTSequence(tmp_path / name)


def test_labels_that_unpack_to_too_much(
    write_recording,  # noqa: F811
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    write_recording(tmp_path, 4, [1, 3])
    assert len(RVTSequence(tmp_path).labels(0)) == 1
    monkeypatch.setattr(hdf5, 'ALWAYS_FINE', 100)
    with pytest.raises(UserError, match=r'labels\.npz.*bytes when it is unpacked'):
        RVTSequence(tmp_path).labels(0)
