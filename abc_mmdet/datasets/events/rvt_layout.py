"""RVT's preprocessed layout: one folder per recording, with representations and labels.

::

    NAME/event_representations_v2/stacked_histogram_dt=50_nbins=10/
        event_representations[_ds2_nearest|_ds2_sum].h5    'data' uint8 (N, 2 * bins, H, W)
        objframe_idx_2_repr_idx.npy                        window of each labelled frame
        timestamps_us.npy                                  end of each window
    NAME/labels_v2/
        labels.npz                                         labels, objframe_idx_2_label_idx
        timestamps_us.npy                                  time of each labelled frame
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import h5py
import hdf5plugin
import numpy as np

from abc_mmdet.datasets.hdf5 import LARGEST_CHUNK, failed_writes, open_npz, own_dataset
from abc_mmdet.errors import UserError

from .labels import FrameTimes
from .stacked_histogram import representation_file

REPRESENTATIONS, LABELS = 'event_representations_v2', 'labels_v2'
STEP_US = 50_000
"""RVT's step from window to window, for recordings of a single one."""


def find_sequences(folder: Path | str) -> list[Path]:
    """Folders of recordings below a split, by name.

    Raises:
        UserError: no such folder.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise UserError(f'{folder} does not exist (from {Path.cwd()}).')
    return sorted(path for path in folder.iterdir() if (path / REPRESENTATIONS).is_dir())


class RVTSequence:
    """One preprocessed recording, read from disk as it is asked for.

    No file stays open between two reads: a data set has more recordings than a process may have
    open files, and HDF5's handles do not survive a fork. Opening costs a hundredth of reading.

    Args:
        folder: of the recording.
        representation: which representation.
        downsample: ``none``, ``nearest`` or ``sum``.

    Attributes:
        name: of the recording.
        shape: of a representation, ``(C, H, W)``.
        num_steps: number of representations.
        window_ends_us: end of each, ``(N,)``.
        frame_steps: representation of each labelled frame, ``(F,)``.
        frame_times_us: time of each labelled frame, ``(F,)``.

    Raises:
        UserError: files that are missing, damaged or do not belong together.

    Example::

        sequence = RVTSequence('data/etram/val/street_000', downsample='sum')
        sequence.representations(0, 5).shape  # (5, 20, 360, 640)
    """

    def __init__(
        self,
        folder: Path | str,
        representation: str = 'stacked_histogram_dt=50_nbins=10',
        downsample: str = 'none',
    ) -> None:
        self.folder = Path(folder)
        self.name = self.folder.name
        events = self.folder / REPRESENTATIONS / representation
        self.file = events / representation_file(downsample)
        if not self.file.is_file():
            there = sorted(path.name for path in events.glob('event_representations*.h5'))
            raise UserError(
                f'{self.file} is missing. There: {", ".join(there) or "no representations"}. '
                'Set dataset.downsample to one that is there, or convert the recordings with '
                f'tools/dataset_converters/event_recordings.py --downsample {downsample}.'
            )
        self._labels_file = self.folder / LABELS / 'labels.npz'
        self.window_ends_us = _load(events / 'timestamps_us.npy')
        self.frame_steps = _load(events / 'objframe_idx_2_repr_idx.npy')
        self.frame_times_us = _load(self.folder / LABELS / 'timestamps_us.npy')
        self.num_steps = len(self.window_ends_us)
        with _damage_is_named(self.file), h5py.File(self.file) as file:
            shape = _representations(file).shape
        self.shape: tuple[int, int, int] = shape[1:]
        steps = self.frame_steps
        if (
            shape[0] != self.num_steps
            or len(steps) != len(self.frame_times_us)
            or (len(steps) and not 0 <= steps[0] <= steps[-1] < self.num_steps)
            or (steps[1:] <= steps[:-1]).any()
        ):
            raise UserError(
                f'{self.folder}: {shape[0]} representations, {self.num_steps} time stamps, '
                f'{len(self.frame_steps)} and {len(self.frame_times_us)} labelled frames do not '
                'belong together. Delete the folder and convert the recording again.'
            )
        self._labels: list[np.ndarray] | None = None

    @property
    def step_us(self) -> np.ndarray:
        """Time from the end of the window before to that of each, ``(N,)``; of the first as of the
        second."""
        if self.num_steps < 2:
            return np.full(self.num_steps, STEP_US)
        steps = np.diff(self.window_ends_us)
        return np.concatenate([steps[:1], steps])

    def representations(self, start: int, stop: int) -> np.ndarray:
        """Steps ``start`` to ``stop`` (excluded), uint8 ``(stop - start, C, H, W)``."""
        with _damage_is_named(self.file), h5py.File(self.file) as file:
            return _representations(file)[start:stop]

    def labels(self, frame: int) -> np.ndarray:
        """Boxes of a labelled frame: structured array, in pixels of the sensor."""
        if self._labels is None:
            with _damage_is_named(self._labels_file), open_npz(self._labels_file) as file:
                labels, first = file['labels'], file['objframe_idx_2_label_idx']
                _check_labels(labels, first)
            if len(first) != len(self.frame_times_us):
                raise UserError(
                    f'{self._labels_file} has {len(first)} labelled frames, not '
                    f'{len(self.frame_times_us)}. Delete {self.folder} and convert the recording '
                    'again.'
                )
            self._labels = np.split(labels, first[1:])
        return self._labels[frame]


def write_sequence(
    folder: Path,
    representation: str,
    file_name: str,
    shape: tuple[int, int, int],
    representations: Iterator[np.ndarray],
    times: FrameTimes,
    labels: np.ndarray,
) -> None:
    """Write a recording.

    Args:
        folder: of the recording; exists.
        representation, file_name: names of the folder and file of the representations.
        shape: of a representation.
        representations: uint8, one per window.
        times: of windows and frames.
        labels: structured array, those of the frames, in order of time.

    Raises:
        OSError: the disk is full, or cannot be written to; see :func:`failed_writes`.
    """
    events = folder / REPRESENTATIONS / representation
    events.mkdir(parents=True)
    (folder / LABELS).mkdir()
    compression = hdf5plugin.Blosc(cname='zstd', clevel=1, shuffle=hdf5plugin.Blosc.SHUFFLE)
    with failed_writes(), h5py.File(events / file_name, 'w') as file:
        data = file.create_dataset(
            'data',
            (len(times.windows_us), *shape),
            np.uint8,
            chunks=(1, *shape),
            maxshape=(None, *shape),
            **compression,
        )
        for step, counts in enumerate(representations):
            data[step] = counts
    np.save(events / 'objframe_idx_2_repr_idx.npy', times.frame_steps)
    np.save(events / 'timestamps_us.npy', times.windows_us)
    np.savez(
        folder / LABELS / 'labels.npz',
        labels=labels,
        objframe_idx_2_label_idx=np.searchsorted(labels['t'], times.frames_us),
    )
    np.save(folder / LABELS / 'timestamps_us.npy', times.frames_us)


def _load(path: Path) -> np.ndarray:
    with _damage_is_named(path):
        values = np.load(path)
        if not isinstance(values, np.ndarray) or values.ndim != 1 or values.dtype.kind not in 'iu':
            raise ValueError('it holds no list of integers')
        return values


def _representations(file: h5py.File) -> h5py.Dataset:
    data = own_dataset(file, 'data', 'u')
    if data is None or data.ndim != 4 or data.dtype != np.uint8:
        raise ValueError('it has no data set of bytes "data" with four dimensions')
    step = int(np.prod(data.shape[1:], dtype=object))
    if not 0 < step <= LARGEST_CHUNK:
        raise ValueError(f'a representation of {step:,} bytes')
    return data


def _check_labels(labels: np.ndarray, first: np.ndarray) -> None:
    if labels.ndim != 1 or first.ndim != 1 or first.dtype.kind not in 'iu':
        raise ValueError('it holds no list of labels')
    for name in ('t', 'x', 'y', 'w', 'h', 'class_id'):
        if name not in (labels.dtype.names or ()):
            raise ValueError(f'labels have no field {name!r}')
        of_field = labels[name]
        if of_field.ndim != 1 or of_field.dtype.kind not in 'iuf':
            raise ValueError(f'the field {name} of labels holds {of_field.dtype}')
        if not np.isfinite(of_field).all() or (name == 'class_id' and (of_field < 0).any()):
            raise ValueError(f'the field {name} of labels has values that are none')
    borders = np.array([*first, len(labels)], np.int64)
    if borders[0] != 0 or (np.diff(borders) < 0).any():
        raise ValueError('objframe_idx_2_label_idx does not divide the labels into frames')


@contextmanager
def _damage_is_named(path: Path) -> Iterator[None]:
    try:
        yield
    except Exception as error:  # each library has its own for damaged files
        reason = 'is damaged' if path.exists() else 'is missing'
        raise UserError(
            f'{path} {reason} ({error}). Delete the folder of the recording and convert it again.'
        ) from error
