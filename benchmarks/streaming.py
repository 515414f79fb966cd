"""Milliseconds per window of streamed detection, and events per second of reading recordings.

The network: MaxViTRNN with YOLOX's neck and head as in RVT (strides 8, 16, 32; random weights), at
640x384, from the events of a window of 50 ms to boxes: representation, network, suppression. In
PyTorch and, with ``--onnx``, as the exported graph whose states go from window to window. Reading:
from files of any kind to stacked histograms of half the size, as conversion makes them.

Times are of the process, on one thread, which a busy machine does not change much. Real time is
50 ms per window.

    OMP_NUM_THREADS=1 python benchmarks/streaming.py [--archs base small tiny] [--windows 10]
        [--onnx] [--recordings FILE ...] [--json FILE]
"""

import argparse
import json
import statistics
import tempfile
import time
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
from abc_mmdet.deployment import export_onnx
from abc_mmdet.deployment.engines import open_session
from abc_mmdet.inference.event_sources import EventSource, SourceOptions, Step
from abc_mmdet.utils.atomic_write import atomic_write
from mmdet.registry import MODELS

CONFIG = Path(__file__).parents[1] / 'configs/baseline_3level_100k.py'
EMBED_DIM = dict(base=64, small=48, tiny=32)
SIZE = (640, 384)
WINDOW_US = 50_000
EVENTS = 50_000  # per window: a million per second
WARM_UP = 2  # windows


def experiment(arch: str) -> Config:
    """RVT of this size, for recordings of 640x384."""
    dim = EMBED_DIM[arch]
    options: dict[str, Any] = {
        'model.backbone.arch': arch,
        'model.neck.in_channels': [2 * dim, 4 * dim, 8 * dim],
        'model.neck.out_channels': 2 * dim,
        'model.neck.num_csp_blocks': 2 if arch == 'base' else 1,
        'model.bbox_head.in_channels': 2 * dim,
        'model.bbox_head.feat_channels': 2 * dim,
        'test_dataloader.dataset.downsample': 'none',
        'model.test_cfg.score_thr': 0.1,
    }
    return load_experiment(str(CONFIG), options)


def events(windows: int, size: tuple[int, int], per_window: int) -> dict[str, np.ndarray]:
    """Events at random places and times."""
    rng = np.random.default_rng(0)
    number = windows * per_window
    t = np.sort(rng.integers(0, windows * WINDOW_US, number))
    x, y = rng.integers(0, size, (number, 2)).T
    p = rng.integers(0, 2, number)
    return dict(x=x.astype('u2'), y=y.astype('u2'), p=p.astype('u1'), t=t)


def milliseconds(steps: Iterator[Any]) -> float:
    """The median of what each step takes, without the first ones."""
    times = []
    begin = time.process_time()
    for _ in steps:
        times.append((time.process_time() - begin) * 1000)
        begin = time.process_time()
    return statistics.median(times[WARM_UP:])


def pytorch(config: Config, checkpoint: str, windows: int) -> float:
    inferencer = StreamingInferencer(config, checkpoint, device='cpu')
    source = [events(windows + WARM_UP + 1, SIZE, EVENTS)]
    return milliseconds(iter(inferencer(source, size=SIZE)))


def onnx(config: Config, checkpoint: str, windows: int) -> float:
    """The graph with states in and out; representation and suppression as above."""
    exported = export_onnx(config, checkpoint, size=SIZE)
    session = open_session(exported.content)
    outputs = [output.name for output in session.get_outputs()]
    shapes = {i.name: [1, *i.shape[1:]] for i in session.get_inputs() if i.name != 'images'}
    histogram = StackedHistogram(downsample='none')
    source = EventSource(
        [events(windows + WARM_UP + 1, SIZE, EVENTS)], histogram, SourceOptions(size=SIZE)
    )

    def steps() -> Iterator[None]:
        states = {name: np.zeros(shape, np.float32) for name, shape in shapes.items()}
        for step in source:
            images = step.representation(histogram, SIZE)[None].astype(np.float32)
            found = dict(
                zip(outputs, session.run(None, dict(images=images, **states)), strict=True)
            )
            states = {name: found[f'{name}_after'] for name in states}
            yield

    return milliseconds(steps())


def network(arch: str, windows: int, with_onnx: bool) -> dict[str, Any]:
    config = experiment(arch)
    init_default_scope('mmdet')
    torch.manual_seed(0)
    model = MODELS.build(config.model)
    parameters = sum(p.numel() for p in model.parameters())
    row: dict[str, Any] = dict(arch=arch, million_parameters=round(parameters / 1e6, 1))
    with tempfile.TemporaryDirectory() as folder:
        checkpoint = f'{folder}/weights.pth'
        torch.save(dict(state_dict=model.state_dict()), checkpoint)
        del model
        row['pytorch_ms'] = round(pytorch(config, checkpoint, windows), 1)
        if with_onnx:
            row['onnx_ms'] = round(onnx(config, checkpoint, windows), 1)
    return row


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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition('\n')[0])
    parser.add_argument('--archs', nargs='*', choices=EMBED_DIM, default=list(EMBED_DIM))
    parser.add_argument('--windows', type=whole_number, default=10)
    parser.add_argument('--onnx', action='store_true', help='the exported graph, too')
    parser.add_argument('--recordings', nargs='*', type=Path, default=[], help='to read as well')
    parser.add_argument('--json', type=Path)
    args = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        read = [reading(path, (1280, 720)) for path in generated(Path(folder))]
    read += [reading(path, None) for path in args.recordings]
    for row in read:
        print(
            f'{row["recording"]}: {row["million_events_per_s"]} million events per second, '
            f'{row["bytes_per_event"]} bytes each',
            flush=True,
        )
    networks = []
    for arch in args.archs:
        networks.append(network(arch, args.windows, args.onnx))
        print(networks[-1], flush=True)
    if args.json:
        text = json.dumps(dict(networks=networks, reading=read), indent=1)
        atomic_write(args.json, f'{text}\n'.encode())


if __name__ == '__main__':
    with user_messages():
        main()
