"""Events per second of the stacked histogram, against the straightforward formulation.

The straightforward one is a single ``torch.Tensor.put_(accumulate=True)`` over all events, as in
RVT, in 16 bits so that hot pixels do not start again at 0; it gets its events as the tensors of
64 bits that it needs, and making them is not measured. Windows of 50 ms on a 1280 x 720 sensor,
most events on some sixty objects and the rest everywhere; one core; the two in turn, the fastest
of all windows each, as whatever else the machine does only adds to a time.

    OMP_NUM_THREADS=1 python benchmarks/event_histogram.py [--repeats 15] [--json FILE]
"""

import argparse
import json
import time
from pathlib import Path

import numpy as np
import torch

import abc_mmdet  # noqa: F401
from abc_mmdet.datasets.events.stacked_histogram import StackedHistogram

SIZE = WIDTH, HEIGHT = 1280, 720
EVENTS = (100_000, 500_000, 2_000_000)  # per window: 2, 10 and 40 million per second
BINS, CUTOFF = 10, 10
OBJECTS, ON_OBJECTS, SPREAD = 60, 0.7, 15.0  # number, share of the events, pixels

Window = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]


def window(number: int, seed: int) -> Window:
    """x, y, p and t of a window with so many events."""
    rng = np.random.default_rng(seed)
    centres = rng.uniform(0, SIZE, (OBJECTS, 2))
    places = rng.normal(centres[rng.integers(0, OBJECTS, number)], SPREAD)
    elsewhere = rng.random(number) > ON_OBJECTS
    places[elsewhere] = rng.uniform(0, SIZE, (int(elsewhere.sum()), 2))
    x, y = np.clip(places, 0, np.array(SIZE) - 1).astype(np.uint16).T
    t = np.sort(rng.integers(0, 50_000, number))
    return np.ascontiguousarray(x), np.ascontiguousarray(y), rng.integers(0, 2, number, 'u1'), t


def straightforward(
    x: torch.Tensor, y: torch.Tensor, p: torch.Tensor, t: torch.Tensor
) -> torch.Tensor:
    """The stacked histogram by ``put_``, uint8 ``(2 * bins, H, W)``."""
    counts = torch.zeros((2, BINS, HEIGHT, WIDTH), dtype=torch.int16)
    time_bin = ((t - t[0]) / max(t[-1] - t[0], 1) * BINS).floor().clamp(max=BINS - 1).long()
    place = x + WIDTH * y + HEIGHT * WIDTH * time_bin + BINS * HEIGHT * WIDTH * p
    counts.put_(place, torch.ones_like(place, dtype=torch.int16), accumulate=True)
    return counts.clamp(0, CUTOFF).to(torch.uint8).reshape(2 * BINS, HEIGHT, WIDTH)


def measure(number: int, repeats: int) -> dict:
    """Figures for windows with so many events; times are the shortest, in ms."""
    histogram = StackedHistogram(BINS, count_cutoff=CUTOFF, downsample='none')
    times: dict[str, list[float]] = dict(ours=[], straightforward=[])
    identical = True
    for seed in range(repeats):
        events = window(number, seed)
        tensors = [torch.from_numpy(column.astype(np.int64)) for column in events]
        begin = time.perf_counter()
        ours = histogram(*events, SIZE)
        middle = time.perf_counter()
        theirs = straightforward(*tensors)
        end = time.perf_counter()
        if seed:  # the first one compiles, and fills caches
            times['ours'].append(middle - begin)
            times['straightforward'].append(end - middle)
        identical &= bool(np.array_equal(ours, theirs.numpy()))
    ms = {name: min(values) * 1e3 for name, values in times.items()}
    return dict(
        events=number,
        ratio=ms['straightforward'] / ms['ours'],
        identical=identical,
        ours_ms=ms['ours'],
        straightforward_ms=ms['straightforward'],
        ours_events_per_s=number / ms['ours'] * 1e3,
        straightforward_events_per_s=number / ms['straightforward'] * 1e3,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--repeats', type=int, default=15, help='windows of each size')
    parser.add_argument('--json', type=Path, help='write the figures to this file')
    args = parser.parse_args()
    torch.set_num_threads(1)
    rows = [measure(number, max(2, args.repeats)) for number in EVENTS]
    print(f'{"events":>9}{"ours ms":>10}{"put_ ms":>10}{"M events/s":>12}{"put_":>7}{"ratio":>8}')
    for row in rows:
        print(
            f'{row["events"]:>9,}{row["ours_ms"]:>10.1f}{row["straightforward_ms"]:>10.1f}'
            f'{row["ours_events_per_s"] / 1e6:>12.1f}'
            f'{row["straightforward_events_per_s"] / 1e6:>7.1f}{row["ratio"]:>8.1f}'
        )
    figures = dict(
        ratio=min(row['ratio'] for row in rows),
        identical=all(row['identical'] for row in rows),
        rows=rows,
    )
    print(f'smallest ratio {figures["ratio"]:.1f}, identical: {figures["identical"]}')
    if args.json:
        args.json.write_text(json.dumps(figures, indent=2) + '\n')


if __name__ == '__main__':
    main()
