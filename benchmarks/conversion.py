"""Events per second and core of converting recordings, against the obvious way and the disk.

The recordings of a folder in eTraM's layout (``*_td.h5`` and ``*_bbox.npy``) are converted by one
process and by two, as tools/dataset_converters/event_recordings.py does. The obvious way reads a
whole file, counts each window with ``np.add.at`` and writes the same files with the same
compression; whether its representations are the same is checked. The disk reads the bytes of the
recordings, not cached, and writes as many as the conversion did, to the end of ``fsync``.

Times of a core are of the process, which a busy machine does not change much; those on the clock
stand beside them. Recordings to measure on:

    python tools/dataset_converters/synthetic_events.py data/raw --train 24 --val 2

    OMP_NUM_THREADS=1 python benchmarks/conversion.py data/raw/train [--limit 12] [--json FILE]
"""

import argparse
import json
import multiprocessing
import os
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import h5py
import hdf5plugin
import numpy as np

import abc_mmdet  # noqa: F401
from abc_mmdet.apis import user_messages
from abc_mmdet.apis.options import whole_number
from abc_mmdet.datasets.events.conversion import ConversionSettings, convert
from abc_mmdet.datasets.events.layouts import Source
from abc_mmdet.datasets.events.rvt_layout import RVTSequence
from abc_mmdet.errors import UserError
from abc_mmdet.utils.atomic_write import atomic_write

SETTINGS = ConversionSettings()
WINDOW_US = 1000 * SETTINGS.histogram.window_ms
PIECE = 1 << 20  # bytes that the disk reads and writes at a time


class Taken(NamedTuple):
    """What a recording took."""

    events: int
    cpu_s: float


def sources_of(folder: Path, limit: int) -> list[Source]:
    found = []
    for path in sorted(folder.glob('*_td.h5'))[:limit]:
        name = path.name.removesuffix('_td.h5')
        found.append(Source(name, 'train', path, folder / f'{name}_bbox.npy'))
    if len(found) < 3:
        raise UserError(f'{folder}: give a folder with three recordings (*_td.h5) or more.')
    return found


def ours(source: Source, out: Path) -> Taken:
    begin = time.process_time()
    found = convert(source, out, SETTINGS)
    return Taken(found['events'], time.process_time() - begin)


def obvious(source: Source, out: Path) -> Taken:
    """Everything into memory, one ``np.add.at`` per window; ends of the windows are ours."""
    converted = RVTSequence(out / 'train' / source.name, downsample='sum')
    begin = time.process_time()
    with h5py.File(source.events) as file:
        width, height = int(file['events/width'][()]), int(file['events/height'][()])
        x, y, p, t = (file[f'events/{name}'][:] for name in 'xypt')
    bins, cutoff = SETTINGS.histogram.bins, SETTINGS.histogram.count_cutoff
    shape = (2, bins, height // 2, width // 2)
    counted = []
    for end in converted.window_ends_us.tolist():
        inside = (t >= end - WINDOW_US) & (t <= end)
        times = t[inside]
        counts = np.zeros(shape, np.int64)
        if len(times):
            share = (times - times[0]).astype(np.float32) / np.float32(max(np.ptp(times), 1))
            time_bin = np.minimum(share * np.float32(bins), bins - 1).astype(np.int64)
            np.add.at(counts, (p[inside], time_bin, y[inside] // 2, x[inside] // 2), 1)
        counted.append(np.minimum(counts, cutoff).astype(np.uint8).reshape(-1, *shape[2:]))
    with h5py.File(out / 'obvious.h5', 'w') as file:
        compression = hdf5plugin.Blosc(cname='zstd', clevel=1, shuffle=hdf5plugin.Blosc.SHUFFLE)
        chunks = (1, *counted[0].shape)
        file.create_dataset('data', data=np.stack(counted), chunks=chunks, **compression)
    seconds = time.process_time() - begin
    expected = converted.representations(0, converted.num_steps)
    if not np.array_equal(np.stack(counted), expected):
        raise UserError(f'{source.name}: the two ways do not count the same.')
    return Taken(len(t), seconds)


def in_processes(
    way: Callable[[Source, Path], Taken], sources: list[Source], number: int, out: Path
) -> dict[str, Any]:
    """Figures of all recordings but the first ones, on which the processes get warm."""
    with ProcessPoolExecutor(number, multiprocessing.get_context('spawn')) as pool:
        list(pool.map(way, sources[:number], [out] * number))
        rest = sources[number:]
        begin = time.perf_counter()
        taken = list(pool.map(way, rest, [out] * len(rest)))
        clock = time.perf_counter() - begin
    events, cpu = sum(each.events for each in taken), sum(each.cpu_s for each in taken)
    return dict(
        processes=number,
        recordings=len(rest),
        events=events,
        million_events_per_core_s=round(events / cpu / 1e6, 2),
        million_events_per_clock_s=round(events / clock / 1e6, 2),
        cpu_s=round(cpu, 2),
        clock_s=round(clock, 2),
    )


def disk(sources: list[Source], written: int, out: Path) -> dict[str, Any]:
    """Reads the bytes of the recordings and writes as many as were written, on the clock."""
    size = 0
    begin = time.perf_counter()
    for source in sources:
        with source.events.open('rb', buffering=0) as file:
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
            while piece := file.read(PIECE):
                size += len(piece)
    middle = time.perf_counter()
    piece = os.urandom(PIECE)
    with (out / 'written').open('wb', buffering=0) as file:
        for start in range(0, written, PIECE):
            file.write(piece[: min(PIECE, written - start)])
        os.fsync(file.fileno())
    end = time.perf_counter()
    return dict(
        read_mb=round(size / 1e6, 1),
        read_s=round(middle - begin, 3),
        written_mb=round(written / 1e6, 1),
        write_s=round(end - middle, 3),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition('\n')[0])
    parser.add_argument('folder', type=Path, help='recordings, *_td.h5 and *_bbox.npy')
    parser.add_argument('--limit', type=whole_number, default=12, help='recordings; default 12')
    parser.add_argument('--json', type=Path)
    args = parser.parse_args()
    sources = sources_of(args.folder, args.limit)
    figures: dict[str, Any] = dict(cores=len(os.sched_getaffinity(0)))
    for number in (1, 2):
        with tempfile.TemporaryDirectory() as folder:
            out = Path(folder)
            figures[f'ours_{number}'] = in_processes(ours, sources, number, out)
            print(figures[f'ours_{number}'], flush=True)
            if number == 1:
                files = [path for path in out.rglob('*') if path.is_file()]
                size = sum(path.stat().st_size for path in files)
                figures['disk'] = disk(sources, size, out)
                print(figures['disk'], flush=True)
                figures['obvious'] = in_processes(obvious, sources, 1, out)
                print(figures['obvious'], flush=True)
    per_core = [figures[name]['million_events_per_core_s'] for name in ('ours_1', 'obvious')]
    figures['ratio_to_obvious'] = round(per_core[0] / per_core[1], 2)
    print(f'ratio {figures["ratio_to_obvious"]}')
    if args.json:
        atomic_write(args.json, f'{json.dumps(figures, indent=1)}\n'.encode())


if __name__ == '__main__':
    with user_messages():
        main()
