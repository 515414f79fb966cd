"""Recordings in RVT's layout, written from the description of that layout alone."""

from collections.abc import Callable, Sequence
from pathlib import Path

import h5py
import hdf5plugin
import numpy as np
import pytest

LABEL = np.dtype(
    [
        *[('t', '<u8'), ('x', '<f4'), ('y', '<f4'), ('w', '<f4'), ('h', '<f4')],
        *[('class_id', '<u4'), ('track_id', '<u4'), ('class_confidence', '<f4')],
    ]
)


@pytest.fixture
def write_recording() -> Callable[..., np.ndarray]:
    """Write a recording of random counts; returns them, uint8 ``(N, 2 * bins, H, W)``.

    ``labels`` is one structured array of boxes in sensor pixels, ``labelled_steps`` says in which
    step each distinct time lies.
    """

    def write(
        folder: Path,
        num_steps: int,
        labelled_steps: Sequence[int],
        boxes_per_frame: Sequence[Sequence[tuple]] | None = None,
        size: tuple[int, int] = (32, 24),
        suffix: str = '',
        seed: int = 0,
    ) -> np.ndarray:
        width, height = size
        rng = np.random.default_rng(seed)
        data = rng.poisson(0.2, (num_steps, 20, height, width)).astype(np.uint8)
        events = folder / 'event_representations_v2' / 'stacked_histogram_dt=50_nbins=10'
        events.mkdir(parents=True, exist_ok=True)
        with h5py.File(events / f'event_representations{suffix}.h5', 'w') as file:
            file.create_dataset(
                'data', data=data, chunks=(1, *data.shape[1:]), **hdf5plugin.Blosc(cname='zstd')
            )
        ends = 50_000 * np.arange(1, num_steps + 1)
        steps = np.asarray(labelled_steps, np.int64)
        np.save(events / 'objframe_idx_2_repr_idx.npy', steps)
        np.save(events / 'timestamps_us.npy', ends)
        (folder / 'labels_v2').mkdir(exist_ok=True)
        if boxes_per_frame is None:
            boxes_per_frame = [[(2, 3, 10, 8, i % 8, 1)] for i in range(len(steps))]
        rows, first = [], []
        for step, boxes in zip(steps, boxes_per_frame, strict=True):
            first.append(len(rows))
            rows += [(ends[step], x, y, w, h, c, track, 1.0) for x, y, w, h, c, track in boxes]
        np.savez(
            folder / 'labels_v2' / 'labels.npz',
            labels=np.array(rows, LABEL),
            objframe_idx_2_label_idx=np.array(first, np.int64),
        )
        np.save(folder / 'labels_v2' / 'timestamps_us.npy', ends[steps])
        return data

    return write
