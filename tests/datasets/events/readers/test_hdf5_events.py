"""DSEC's files, and HDF5 files that are no recordings."""

from pathlib import Path

import h5py
import numpy as np
import pytest

from abc_mmdet.datasets.events.readers import open_reader
from abc_mmdet.datasets.events.readers.hdf5_events import ECF
from abc_mmdet.datasets.events.recording import Recording
from abc_mmdet.errors import UserError


def write_dsec(path: Path) -> Path:
    """As its description says: ``t`` counts from ``t_offset``, ``ms_to_idx`` finds milliseconds."""
    t = np.array([0, 10, 999, 1000, 2500], 'u4')
    with h5py.File(path, 'w') as file:
        file['events/t'] = t
        file['events/x'] = np.array([0, 639, 5, 6, 7], 'u2')
        file['events/y'] = np.array([479, 0, 5, 6, 7], 'u2')
        file['events/p'] = np.array([0, 1, 0, 1, 1], 'u1')
        file['ms_to_idx'] = np.searchsorted(t, [0, 1000, 2000]).astype('u8')
        file['t_offset'] = 50_000_000_000
    return path


def test_dsec(tmp_path: Path) -> None:
    reader, size = open_reader(write_dsec(tmp_path / 'events.h5'))
    assert size == (640, 480)
    (chunk,) = reader.chunks(size)
    assert chunk.t.tolist() == [0, 10, 999, 1000, 2500]
    assert chunk.p.tolist() == [0, 1, 0, 1, 1]
    recording = Recording(tmp_path / 'events.h5', (320, 480))
    assert recording.time_span() == (0, 2500)
    assert sum(len(c['t']) for c in recording.chunks()) == 4 and recording.num_outside == 1


def test_without_the_marks_of_dsec_the_size_is_asked_for(tmp_path: Path) -> None:
    path = write_dsec(tmp_path / 'a.hdf5')
    with h5py.File(path, 'a') as file:
        del file['ms_to_idx']
    with pytest.raises(UserError, match=r'a\.hdf5 does not say .*--size WxH'):
        open_reader(path)
    assert open_reader(path, (640, 480))[1] == (640, 480)


class TestMetavision:
    """``CD/events`` with attributes of the file, as openeb's reader and writer have them."""

    EVENTS = ((3, 4, 1, 5_000_000), (639, 479, 0, 5_000_007), (640, 0, 1, 5_000_009))
    KIND = np.dtype(
        dict(
            names=['x', 'y', 'p', 't'],
            formats=['<u2', '<u2', '<i2', '<i8'],
            offsets=[0, 2, 4, 8],
            itemsize=16,
        )
    )

    def write(self, path: Path, **attributes: str) -> Path:
        with h5py.File(path, 'w') as file:
            file['CD/events'] = np.array(list(self.EVENTS), self.KIND)
            file['CD/indexes'] = np.zeros(2, [('id', '<u8'), ('ts', '<i8')])
            file.attrs.update(attributes)
        return path

    def test_it_is_read(self, tmp_path: Path) -> None:
        path = self.write(tmp_path / 'a.hdf5', geometry='640x480', format='ECF')
        reader, size = open_reader(path)
        assert size == (640, 480)
        (chunk,) = reader.chunks(size)
        assert list(zip(*(column.tolist() for column in chunk), strict=True)) == list(self.EVENTS)
        recording = Recording(path)
        assert recording.time_span() == (5_000_000, 5_000_007)
        assert sum(len(c['t']) for c in recording.chunks()) == 2 and recording.num_outside == 1

    def test_times_are_shifted_as_their_reader_does(self, tmp_path: Path) -> None:
        path = self.write(tmp_path / 'a.h5', geometry='640x480', time_shift='4999000')
        (chunk,) = open_reader(path)[0].chunks((640, 480))
        assert chunk.t.tolist() == [1000, 1007, 1009]

    def test_what_is_not_clear_is_asked_for(self, tmp_path: Path) -> None:
        path = self.write(tmp_path / 'a.hdf5')
        with pytest.raises(UserError, match=r'a\.hdf5 does not say .*--size WxH'):
            open_reader(path)
        assert open_reader(path, (640, 480))[1] == (640, 480)
        self.write(path, geometry='wide')
        with pytest.raises(UserError, match=r"a\.hdf5: its attribute geometry is 'wide'"):
            open_reader(path)
        self.write(path, geometry='640x480', time_shift='soon')
        with pytest.raises(UserError, match=r"a\.hdf5: its attribute time_shift is 'soon'"):
            open_reader(path)

    @pytest.mark.parametrize('kind', ['<f4', 'S2', '(2,)<u2'])
    def test_rows_that_are_none(self, tmp_path: Path, kind: str) -> None:
        with h5py.File(tmp_path / 'a.hdf5', 'w') as file:
            file['CD/events'] = np.zeros(3, [('x', kind), ('y', 'u2'), ('p', 'i2'), ('t', 'i8')])
        with pytest.raises(UserError, match=r'a\.hdf5 has no list CD/events of the whole numbers'):
            open_reader(tmp_path / 'a.hdf5', (640, 480))

    def test_the_plugin_is_named(self, tmp_path: Path) -> None:
        with h5py.File(tmp_path / 'a.hdf5', 'w') as file:  # as the camera's software packs it
            plan = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
            plan.set_chunk((4,))
            plan.set_filter(ECF, h5py.h5z.FLAG_OPTIONAL)
            space, kind = h5py.h5s.create_simple((4,)), h5py.h5t.py_create(self.KIND)
            file.create_group('CD')
            h5py.h5d.create(file.id, b'CD/events', kind, space, plan)
        with pytest.raises(UserError, match=r'a\.hdf5 is packed with ECF.* HDF5_PLUGIN_PATH'):
            open_reader(tmp_path / 'a.hdf5', (640, 480))
