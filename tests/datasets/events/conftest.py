"""Recordings, and what RVT makes of them, written from the description of the formats alone."""

import hashlib
import os
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path

import h5py
import hdf5plugin
import numpy as np
import pytest
import torch
import torch.nn.functional as F

BLOSC = hdf5plugin.Blosc(cname='zstd')
LABEL = np.dtype(
    [
        *[('t', '<u8'), ('x', '<f4'), ('y', '<f4'), ('w', '<f4'), ('h', '<f4')],
        *[('class_id', '<u4'), ('track_id', '<u4'), ('class_confidence', '<f4')],
    ]
)


@pytest.fixture(scope='session')
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


@pytest.fixture(scope='session')
def write_events() -> Callable[..., Path]:
    """Write an ``.h5`` of raw events, with Blosc; ``size`` is left out of the file if None."""

    def write(
        path: Path, events: dict[str, np.ndarray], size: tuple[int, int] | None = None
    ) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        with h5py.File(path, 'w') as file:
            for name, column in events.items():
                file.create_dataset(
                    f'events/{name}', data=column, chunks=(1000,), maxshape=(None,), **BLOSC
                )
            if size is not None:
                file['events/width'], file['events/height'] = size
        return path

    return write


@pytest.fixture(scope='session')
def random_events() -> Callable[..., dict[str, np.ndarray]]:
    """Events inside the sensor; a few times are not sorted, some pixels are hot."""

    def make(
        number: int, size: tuple[int, int], until_us: int, seed: int = 0
    ) -> dict[str, np.ndarray]:
        rng = np.random.default_rng(seed)
        t = np.sort(rng.integers(0, until_us, number))
        late = rng.integers(1, number, number // 50)
        t[late] = np.maximum(t[late] - rng.integers(0, 3000, len(late)), 0)
        x, y = rng.integers(0, size, (number, 2)).astype(np.uint16).T
        hot = rng.random(number) < 0.1
        x[hot], y[hot] = 7, 5
        return dict(x=x, y=y, p=rng.integers(0, 2, number).astype(np.uint8), t=t)

    return make


@pytest.fixture(scope='session')
def rvt_histogram() -> Callable[..., np.ndarray]:
    """RVT's stacked histogram in PyTorch; counts are kept in 32 bits until they are cut."""

    def histogram(
        x: np.ndarray,
        y: np.ndarray,
        p: np.ndarray,
        t: np.ndarray,
        size: tuple[int, int],
        bins: int = 10,
        cutoff: int = 10,
        downsample: str = 'none',
    ) -> np.ndarray:
        width, height = size
        counts = torch.zeros((2, bins, height, width), dtype=torch.int32)
        if len(t):
            x, y, p, t = (torch.from_numpy(np.asarray(c).astype(np.int64)) for c in (x, y, p, t))
            t_norm = (t - t[0]) / max(t[-1] - t[0], 1)
            index = (t_norm * bins).floor().clamp(max=bins - 1).long()
            place = ((p * bins + index) * height + y) * width + x
            counts.put_(place, torch.ones_like(place, dtype=torch.int32), accumulate=True)
        volume = counts.reshape(2 * bins, height, width)
        if downsample == 'sum':
            volume = F.avg_pool2d(volume[None].double(), 2, divisor_override=1)[0]
        volume = volume.clamp(max=cutoff).to(torch.uint8)
        if downsample == 'nearest':
            volume = F.interpolate(volume[None], scale_factor=0.5, mode='nearest-exact')[0]
        return volume.numpy()

    return histogram


@pytest.fixture(scope='session')
def rvt_times() -> Callable[..., tuple[list[int], list[int], list[int]]]:
    """Labelled frames, ends of windows and each frame's window, as RVT chooses them."""

    def choose(
        labels_us: Sequence[int], is_gen1: bool = False, step_us: int = 50_000
    ) -> tuple[list[int], list[int], list[int]]:
        times = [int(t) for t in labels_us]
        if is_gen1:
            interval = 250_000
        else:
            spacing = float(np.median([b - a for a, b in pairwise(times)]))
            interval = int({30: 3, 60: 6}[round(1_000_000 / spacing)] * spacing)
        frames: list[int] = []
        multiples = []
        for time in times:
            if time < 100_000:
                continue
            if not frames:
                frames.append(time)
                continue
            passed = time - frames[-1]
            multiple = round(passed / interval)
            if multiple and abs(passed - multiple * interval) <= 2000:
                frames.append(time)
                multiples.append(multiple)
        before = [frames[0] - k * step_us for k in range(1, frames[0] // step_us + 2)]
        windows = sorted(end for end in before if end > 0)[1:]
        for begin, end, multiple in zip(frames, frames[1:], multiples, strict=False):
            number = multiple * 100_000 // step_us
            windows += [int(t) for t in np.linspace(begin, end, number + 1)[:-1]]
        windows.append(frames[-1])
        return frames, windows, [windows.index(frame) for frame in frames]

    return choose


CAMERA_RECORDINGS = Path(
    os.environ.get('ABC_EVENT_RECORDINGS', Path(__file__).parents[4] / 'shared/data/events')
)


@pytest.fixture(scope='session')
def camera_files() -> Path:
    """Folder of recordings of real cameras; may be missing."""
    return CAMERA_RECORDINGS


@pytest.fixture(scope='session')
def camera_recordings() -> list[Path]:
    """``recording.raw`` of real cameras, each beside an ``expected.json``."""
    found = sorted(
        path.parent / 'recording.raw' for path in CAMERA_RECORDINGS.glob('*/expected.json')
    )
    if not found:
        pytest.skip('no recordings of cameras: ABC_EVENT_RECORDINGS names the folder')
    pytest.importorskip('faery', reason='.raw and .dat need the extra `events`')
    return found


def check_against(expected: dict, events: dict[str, np.ndarray]) -> None:
    """Every field of expected.json."""
    t, on = events['t'], events['p'].astype(bool)
    rows = np.stack([t, events['x'], events['y'], events['p']], axis=1)
    found = dict(
        num_events=len(t),
        num_on=int(on.sum()),
        num_off=int((~on).sum()),
        first_t_us=int(t[0]),
        last_t_us=int(t[-1]),
        sum_t_us=int(t.sum()),
        sum_x=int(events['x'].sum()),
        sum_y=int(events['y'].sum()),
        first5=rows[:5].tolist(),
        last5=rows[-5:].tolist(),
        sha3_224={
            name: hashlib.sha3_224(np.ascontiguousarray(column).tobytes()).hexdigest()
            for name, column in (
                ('t', t.astype('<u8')),
                ('x', events['x'].astype('<u2')),
                ('y', events['y'].astype('<u2')),
                ('on', on),
            )
        },
    )
    compared = {name: found[name] for name in expected if name not in ('width', 'height')}
    assert compared == {name: expected[name] for name in compared}
    assert len(compared) >= 10


@pytest.fixture(scope='session')
def check_sums() -> Callable[[dict, list], None]:
    """Compares the chunks of a reader with the content of an ``expected.json``."""

    def check(expected: dict, chunks: list) -> None:
        columns = [np.concatenate(column) for column in zip(*chunks, strict=True)]
        check_against(expected, dict(zip('xypt', columns, strict=True)))

    return check
