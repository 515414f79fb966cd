"""Milliseconds per window of streamed detection, and events per second of reading recordings.

The networks: MaxViTRNN with YOLOX's neck and head as in RVT (RVT-B, -S and -T) and YOLOX-Nano with
a ConvLSTMAdapter (configs/yolox_nano_adapter_100k.py), with random weights and a threshold that a
hundred detections pass, at 640x384, from the events of a window of 50 ms to boxes: representation,
network, suppression. Each window goes through PyTorch and then through the exported graph, whose
states go on from window to window. Reading: from files of any kind to stacked histograms of half
the size, as conversion makes them.

Times are of the process, on one thread, which a busy machine does not change much; those on the
clock stand beside them. A ratio is the median of the ratios of single windows. Real time is 50 ms
per window.

    OMP_NUM_THREADS=1 python benchmarks/streaming.py [--networks base small tiny adapter]
        [--windows 15] [--recordings FILE ...] [--no-reading] [--json FILE]
"""

import argparse
import json
import tempfile
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import hdf5plugin
import numpy as np
import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope

import abc_mmdet  # noqa: F401
from abc_mmdet import StreamingInferencer
from abc_mmdet.apis import load_experiment, user_messages
from abc_mmdet.apis.options import whole_number
from abc_mmdet.datasets.events.stacked_histogram import StackedHistogram
from abc_mmdet.deployment import OnnxStreamingInferencer, export_onnx, write_onnx
from abc_mmdet.inference.event_sources import EventSource, SourceOptions, Step
from abc_mmdet.inference.window_inferencer import WindowInferencer
from abc_mmdet.utils.atomic_write import atomic_write
from mmdet.registry import MODELS

CONFIGS = Path(__file__).parents[1] / 'configs'
EMBED_DIM = dict(base=64, small=48, tiny=32)
SIZE = (640, 384)
WINDOW_US = 50_000
EVENTS = 50_000  # per window: a million per second
WARM_UP = 2  # windows
DETECTIONS = 100  # of the first window
COMPARED = 20  # scores of a window
NETWORKS = (*EMBED_DIM, 'adapter')


def experiment(name: str) -> Config:
    """RVT of this size, or the adapter, for recordings of 640x384."""
    options: dict[str, Any] = {
        'test_dataloader.dataset.downsample': 'none',
        'model.test_cfg.score_thr': 0.0,
    }
    if name == 'adapter':
        return load_experiment(str(CONFIGS / 'yolox_nano_adapter_100k.py'), options)
    dim = EMBED_DIM[name]
    options |= {
        'model.backbone.arch': name,
        'model.neck.in_channels': [2 * dim, 4 * dim, 8 * dim],
        'model.neck.out_channels': 2 * dim,
        'model.neck.num_csp_blocks': 2 if name == 'base' else 1,
        'model.bbox_head.in_channels': 2 * dim,
        'model.bbox_head.feat_channels': 2 * dim,
    }
    return load_experiment(str(CONFIGS / 'baseline_3level_100k.py'), options)


def events(windows: int, size: tuple[int, int], per_window: int) -> dict[str, np.ndarray]:
    """Events at random places and times."""
    rng = np.random.default_rng(0)
    number = windows * per_window
    t = np.sort(rng.integers(0, windows * WINDOW_US, number))
    x, y = rng.integers(0, size, (number, 2)).T
    p = rng.integers(0, 2, number)
    return dict(x=x.astype('u2'), y=y.astype('u2'), p=p.astype('u1'), t=t)


def windows(histogram: StackedHistogram, number: int) -> list[Step]:
    source = [events(number + WARM_UP + 1, SIZE, EVENTS)]
    steps = list(EventSource(source, histogram, SourceOptions(size=SIZE)))
    return steps[: number + WARM_UP]


def timed(inferencer: WindowInferencer, step: Step) -> tuple[tuple[float, float], np.ndarray]:
    """Milliseconds of the process and on the clock from events to boxes, and the best scores."""
    cpu, clock = time.process_time(), time.perf_counter()
    counts = step.representation(inferencer.histogram, SIZE)
    found = inferencer.detect(step, counts, SIZE, WINDOW_US)
    times = time.process_time() - cpu, time.perf_counter() - clock
    return (times[0] * 1000, times[1] * 1000), found.scores[:COMPARED]


def compared(engines: dict[str, WindowInferencer], number: int) -> dict[str, Any]:
    """Medians over windows that go through all engines in turn, and of the ratios to the first."""
    histogram = next(iter(engines.values())).histogram
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in engines}
    apart = 0.0
    for place, step in enumerate(windows(histogram, number)):
        scores = {}
        for name, inferencer in engines.items():
            taken, scores[name] = timed(inferencer, step)
            if place >= WARM_UP:
                times[name].append(taken)
        expected, *others = scores.values()
        for other in others:
            apart = max(apart, float(np.abs(other - expected).max(initial=0.0)))
    figures: dict[str, Any] = dict(largest_difference_of_best_scores=apart)
    first = np.array(next(iter(times.values())))
    for name, values in times.items():
        cpu, clock = np.median(values, axis=0)
        figures[f'{name}_ms'] = round(float(cpu), 1)
        figures[f'{name}_clock_ms'] = round(float(clock), 1)
        ratios = first[:, 0] / np.array(values)[:, 0]
        figures[f'{name}_ratio'] = round(float(np.median(ratios)), 2)
    return figures


def network(name: str, number: int) -> dict[str, Any]:
    config = experiment(name)
    init_default_scope('mmdet')
    torch.manual_seed(0)
    model = MODELS.build(config.model)
    parameters = sum(p.numel() for p in model.parameters())
    row: dict[str, Any] = dict(
        network=name, windows=number, million_parameters=round(parameters / 1e6, 2)
    )
    with tempfile.TemporaryDirectory() as folder:
        checkpoint, path = f'{folder}/weights.pth', f'{folder}/detector.onnx'
        torch.save(dict(state_dict=model.state_dict()), checkpoint)
        del model
        first = StreamingInferencer(config, checkpoint, device='cpu')
        (found, *_) = first([events(2, SIZE, EVENTS)], size=SIZE)
        config.model.test_cfg.score_thr = float(found.scores[:DETECTIONS].min(initial=1))
        del first
        exported = export_onnx(config, checkpoint, size=SIZE)
        write_onnx(exported, path)
        engines: dict[str, WindowInferencer] = dict(
            pytorch=StreamingInferencer(config, checkpoint, device='cpu'),
            onnx=OnnxStreamingInferencer(path),
        )
        row['onnx_mb'] = round(len(exported.content) / 2**20, 1)
        return row | compared(engines, number)


def generated(folder: Path) -> Iterator[Path]:
    """The same events in several kinds of files."""
    columns = events(20, (1280, 720), 500_000)
    for name, options in (('plain.h5', {}), ('blosc.h5', dict(hdf5plugin.Blosc(cname='zstd')))):
        with h5py.File(folder / name, 'w') as file:
            file['events/width'], file['events/height'] = 1280, 720
            for column, values in columns.items():
                chunks = None if not options else (1 << 16,)
                file.create_dataset(f'events/{column}', data=values, chunks=chunks, **options)
        yield folder / name
    kinds = [('t', 'i8'), ('x', 'u2'), ('y', 'u2'), ('p', 'u1')]
    rows = np.empty(len(columns['t']), kinds)
    for column, values in columns.items():
        rows[column] = values
    np.save(folder / 'array.npy', rows)
    yield folder / 'array.npy'


def reading(path: Path, size: tuple[int, int] | None) -> dict[str, Any]:
    """Events per second of the process from the file to all of its representations."""
    histogram = StackedHistogram()
    options = SourceOptions(size=size)
    first = next(iter(EventSource(path, histogram, options)))
    assert isinstance(first, Step)
    first.representation(histogram, size or EventSource(path, histogram, options).size)
    source = EventSource(path, histogram, options)
    begin, number = time.process_time(), 0
    for step in source:
        step.representation(histogram, source.size)
        number += step.num_events
    seconds = time.process_time() - begin
    per_second = number / seconds / 1e6
    return dict(
        recording=path.name,
        events=number,
        bytes_per_event=round(path.stat().st_size / number, 1),
        million_events_per_s=round(per_second, 1),
    )


def write(path: Path, networks: list[dict], read: list[dict]) -> None:
    """To a file, in which rows of other networks and files stay."""
    figures = json.loads(path.read_text()) if path.is_file() else {}
    for key, name, rows in (('networks', 'network', networks), ('reading', 'recording', read)):
        known = {row[name]: row for row in [*figures.get(key, []), *rows]}
        figures[key] = list(known.values())
    atomic_write(path, f'{json.dumps(figures, indent=1)}\n'.encode())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition('\n')[0])
    parser.add_argument('--networks', nargs='*', choices=NETWORKS, default=list(NETWORKS))
    parser.add_argument('--windows', type=whole_number, default=15)
    parser.add_argument('--recordings', nargs='*', type=Path, default=[], help='to read as well')
    parser.add_argument('--no-reading', dest='reading', action='store_false')
    parser.add_argument('--json', type=Path)
    args = parser.parse_args()
    torch.set_num_threads(1)
    warnings.filterwarnings('ignore')  # of PyTorch about its exporter, and of the exporter
    read: list[dict[str, Any]] = []
    if args.reading:
        with tempfile.TemporaryDirectory() as folder:
            read = [reading(path, (1280, 720)) for path in generated(Path(folder))]
    read += [reading(path, None) for path in args.recordings]
    for row in read:
        print(
            f'{row["recording"]}: {row["million_events_per_s"]} million events per second, '
            f'{row["bytes_per_event"]} bytes each',
            flush=True,
        )
    if args.json:
        write(args.json, [], read)
    networks = []
    for name in args.networks:
        networks.append(network(name, args.windows))
        print(networks[-1], flush=True)
        if args.json:  # what there is, should it be stopped
            write(args.json, networks, read)


if __name__ == '__main__':
    with user_messages():
        main()
