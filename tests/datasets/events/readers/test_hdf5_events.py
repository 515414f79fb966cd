"""DSEC's files, and HDF5 files that are no recordings."""

from pathlib import Path

import h5py
import numpy as np
import pytest

from abc_mmdet.datasets.events.readers import open_reader
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


def test_files_of_metavision(tmp_path: Path) -> None:
    with h5py.File(tmp_path / 'a.hdf5', 'w') as file:
        file['CD/events'] = np.zeros(3, [('x', 'u2'), ('y', 'u2'), ('p', 'i2'), ('t', 'i8')])
    with pytest.raises(UserError, match=r'a\.hdf5 .*Metavision.* give the \.raw'):
        open_reader(tmp_path / 'a.hdf5', (640, 480))
