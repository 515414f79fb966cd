"""RVT's layout, written and read."""

import multiprocessing
import pickle
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import psutil
import pytest
from torch.utils.data import DataLoader, Dataset

from abc_mmdet.datasets.events.labels import FrameTimes
from abc_mmdet.datasets.events.rvt_layout import RVTSequence, find_sequences, write_sequence
from abc_mmdet.errors import UserError

REPRESENTATION = 'stacked_histogram_dt=50_nbins=10'
BOX = np.dtype([('t', '<i8'), *[(name, '<f4') for name in 'xywh'], ('class_id', '<u4')])


def boxes_at(*times: int) -> np.ndarray:
    return np.array([(t, i, 2, 10, 8, i % 8) for i, t in enumerate(times)], BOX)


def test_what_is_written_is_read(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    data = rng.poisson(0.3, (6, 20, 5, 7)).astype(np.uint8)
    times = FrameTimes(
        frames_us=np.array([100_000, 200_000, 300_000]),
        windows_us=50_000 * np.arange(1, 7),
        frame_steps=np.array([1, 3, 5]),
    )
    labels = boxes_at(100_000, 100_000, 200_000, 300_000, 300_000, 300_000)
    folder = tmp_path / 'val' / 'street'
    folder.mkdir(parents=True)
    name = 'event_representations_ds2_sum.h5'
    write_sequence(folder, REPRESENTATION, name, data.shape[1:], iter(data), times, labels)

    # As RVT reads it
    with h5py.File(folder / 'event_representations_v2' / REPRESENTATION / name) as file:
        written = file['data']
        assert written.dtype == np.uint8 and written.chunks == (1, 20, 5, 7)
        assert '32001' in written._filters, 'Blosc'
        np.testing.assert_array_equal(written[:], data)
    with np.load(folder / 'labels_v2' / 'labels.npz') as file:
        np.testing.assert_array_equal(file['labels'], labels)
        assert file['objframe_idx_2_label_idx'].tolist() == [0, 2, 3]

    (found,) = find_sequences(tmp_path / 'val')
    assert found == folder
    sequence = RVTSequence(found, REPRESENTATION, 'sum')
    assert (sequence.name, sequence.shape, sequence.num_steps) == ('street', (20, 5, 7), 6)
    assert sequence.window_ends_us.tolist() == times.windows_us.tolist()
    assert sequence.frame_times_us.tolist() == times.frames_us.tolist()
    assert sequence.frame_steps.tolist() == [1, 3, 5]
    np.testing.assert_array_equal(sequence.representations(2, 5), data[2:5])
    for frame, rows in enumerate((slice(0, 2), slice(2, 3), slice(3, 6))):
        np.testing.assert_array_equal(sequence.labels(frame), labels[rows])


def test_without_labels(tmp_path: Path) -> None:
    nothing = np.empty(0, np.int64)
    times = FrameTimes(nothing, np.array([50_000, 100_000]), nothing)
    data = np.ones((2, 20, 3, 4), np.uint8)
    folder = tmp_path / 'street'
    folder.mkdir()
    name = 'event_representations.h5'
    write_sequence(folder, REPRESENTATION, name, (20, 3, 4), iter(data), times, boxes_at())
    sequence = RVTSequence(folder)
    assert sequence.num_steps == 2 and len(sequence.frame_steps) == 0


class Steps(Dataset):
    """Single steps of a sequence, and who has read them."""

    def __init__(self, sequence: RVTSequence) -> None:
        self.sequence = sequence

    def __len__(self) -> int:
        return self.sequence.num_steps

    def __getitem__(self, step: int) -> tuple[int, np.ndarray, int]:
        return (
            step,
            self.sequence.representations(step, step + 1)[0],
            multiprocessing.current_process().pid,
        )


def test_worker_processes_read_at_the_same_time(write_recording: Callable, tmp_path: Path) -> None:
    data = write_recording(tmp_path / 'street', 40, [1, 3], size=(64, 48))
    sequence = RVTSequence(tmp_path / 'street')
    np.testing.assert_array_equal(sequence.representations(0, 3), data[:3])  # before they fork
    loader = DataLoader(
        Steps(sequence), None, num_workers=2, multiprocessing_context='fork', prefetch_factor=4
    )
    readers = set()
    for number, (step, counts, pid) in enumerate(loader):
        np.testing.assert_array_equal(counts, data[step])
        readers.add(pid)
        # and the parent goes on reading while they do
        np.testing.assert_array_equal(sequence.representations(number, number + 1), data[[number]])
    assert len(readers) == 2


def test_it_can_be_sent_to_a_process_and_keeps_no_file_open(
    write_recording: Callable, tmp_path: Path
) -> None:
    data = write_recording(tmp_path / 'street', 5, [1, 3])
    sequence = RVTSequence(tmp_path / 'street')
    sequence.representations(0, 2)
    sequence.labels(0)
    sent = pickle.loads(pickle.dumps(sequence))
    np.testing.assert_array_equal(sent.representations(1, 4), data[1:4])
    np.testing.assert_array_equal(sent.labels(1), sequence.labels(1))
    open_files = [file.path for file in psutil.Process().open_files()]
    assert not [path for path in open_files if str(tmp_path) in path]


class TestDamage:
    @pytest.fixture
    def folder(self, write_recording: Callable, tmp_path: Path) -> Path:
        write_recording(tmp_path / 'street', 6, [1, 3, 5])
        return tmp_path / 'street'

    def read(self, folder: Path) -> None:
        sequence = RVTSequence(folder)
        sequence.representations(0, sequence.num_steps)
        sequence.labels(0)

    @pytest.mark.parametrize(
        'name',
        [
            f'event_representations_v2/{REPRESENTATION}/event_representations.h5',
            f'event_representations_v2/{REPRESENTATION}/timestamps_us.npy',
            f'event_representations_v2/{REPRESENTATION}/objframe_idx_2_repr_idx.npy',
            'labels_v2/labels.npz',
            'labels_v2/timestamps_us.npy',
        ],
    )
    def test_each_file(self, folder: Path, name: str) -> None:
        file = folder / name
        self.read(folder)
        content = file.read_bytes()
        # npy: 8 bytes less; the others end in an index
        for damaged in (b'', b'damaged', content[: len(content) // 2], content[:-8]):
            file.write_bytes(damaged)
            with pytest.raises(UserError) as caught:
                self.read(folder)
            assert str(file) in str(caught.value) and 'convert' in str(caught.value)
        file.unlink()
        with pytest.raises(UserError) as caught:
            self.read(folder)
        assert f'{file} is missing' in str(caught.value)

    def test_a_damaged_chunk(self, folder: Path) -> None:
        file = folder / 'event_representations_v2' / REPRESENTATION / 'event_representations.h5'
        with h5py.File(file) as opened:
            at = opened['data'].id.get_chunk_info(4)
        content = bytearray(file.read_bytes())
        content[at.byte_offset : at.byte_offset + at.size] = bytes(at.size)
        file.write_bytes(content)
        sequence = RVTSequence(folder)
        sequence.representations(0, 4)
        with pytest.raises(UserError, match='is damaged'):
            sequence.representations(4, 5)

    def test_another_h5_file(self, folder: Path) -> None:
        events = folder / 'event_representations_v2' / REPRESENTATION
        with h5py.File(events / 'event_representations.h5', 'w') as file:
            file['other'] = np.zeros(3)
        with pytest.raises(UserError, match=r'event_representations.h5 is damaged'):
            RVTSequence(folder)

    def test_files_that_do_not_belong_together(
        self, folder: Path, write_recording: Callable, tmp_path: Path
    ) -> None:
        write_recording(tmp_path / 'other', 7, [1, 3, 5, 6])
        events = Path('event_representations_v2') / REPRESENTATION
        for name in (
            events / 'timestamps_us.npy',
            events / 'objframe_idx_2_repr_idx.npy',
            Path('labels_v2/timestamps_us.npy'),
            Path('labels_v2/labels.npz'),
        ):
            kept = (folder / name).read_bytes()
            (folder / name).write_bytes((tmp_path / 'other' / name).read_bytes())
            with pytest.raises(UserError, match='street'):
                self.read(folder)
            (folder / name).write_bytes(kept)
        np.save(folder / events / 'objframe_idx_2_repr_idx.npy', np.array([1, 3, 6]))
        with pytest.raises(UserError, match='do not belong together'):
            self.read(folder)

    def test_another_resolution(self, folder: Path) -> None:
        with pytest.raises(UserError) as caught:
            RVTSequence(folder, downsample='sum')
        for words in ('_ds2_sum.h5 is missing', 'There: event_representations.h5', 'dataset.down'):
            assert words in str(caught.value)


def test_find_sequences(write_recording: Callable, tmp_path: Path) -> None:
    for name in ('b', 'a'):
        write_recording(tmp_path / name, 2, [1])
    (tmp_path / 'no recording').mkdir()
    (tmp_path / 'file').touch()
    assert [path.name for path in find_sequences(tmp_path)] == ['a', 'b']
    with pytest.raises(UserError, match='does not exist'):
        find_sequences(tmp_path / 'nowhere')
