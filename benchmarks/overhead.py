"""What the fourth level and the auxiliary task cost, in training and at inference.

Five models in one run, step by step in turn, so that a busy machine slows all of them alike:
the 3-level baseline, four levels, ABC as published, ABC with a train-only finest level, and the
finer levels; YOLOX-s on frames, or RVT-B on clips of five event representations of which
two are labelled.

    python benchmarks/overhead.py [--family events] [--batch 6] [--size 640x384] [--json FILE]

On a CPU the peak memory is that of the process, so ask for one model at a time: --only NAME.
"""

import argparse
import json
import resource
import statistics
import time
from contextlib import nullcontext
from pathlib import Path

import torch
from mmengine.config import Config
from torch.utils.flop_counter import FlopCounterMode

import abc_mmdet  # noqa: F401
from abc_mmdet.checkpoints.conversion import to_plain
from abc_mmdet.models.wasserstein import nwd_constants
from mmdet.registry import MODELS
from mmdet.structures import TrackDataSample
from mmdet.testing import demo_mm_inputs
from mmdet.utils import register_all_modules

CONFIGS = Path(__file__).parents[1] / 'configs'
MODELS_COMPARED = {
    'frames': {
        'baseline, 3 levels': 'frames/baseline_3level_100k.py',
        '4 levels': 'frames/four_level_100k.py',
        'ABC as published': 'frames/abc_100k.py',
        'ABC, train-only P1': 'frames/abc_train_only_100k.py',
        'strides 4, 8, 16': 'frames/finer_levels_100k.py',
    },
    'events': {
        'baseline, 3 levels': 'baseline_3level_100k.py',
        '4 levels': 'four_level_100k.py',
        'ABC as published': 'abc_sod_basic_100k.py',
        'ABC, train-only P1': 'abc_train_only_100k.py',
        'strides 4, 8, 16': 'finer_levels_100k.py',
    },
}
CLIP_LENGTH, LABELLED = 5, (1, 3)  # steps
EVENTS_PER_PIXEL = 0.5  # in a window of 50 ms: a busy street


class Measured:
    """One model, its data and what was measured of it."""

    def __init__(self, name: str, args: argparse.Namespace) -> None:
        self.name, self.device = name, torch.device(args.device)
        torch.manual_seed(0)
        self.events = args.family == 'events'
        config = Config.fromfile(CONFIGS / MODELS_COMPARED[args.family][name])
        self.model = MODELS.build(config.model).to(self.device)
        self.model.init_weights()
        for _, constant in nwd_constants(self.model):
            constant.value = 20.0  # NWDConstantHook measures it in training
        self.optimizer = torch.optim.AdamW(self.model.parameters(), lr=1e-4)
        self.scaler = torch.amp.GradScaler(self.device.type, enabled=self.device.type == 'cuda')
        self.train_batch = self._batch(args.batch, args.size)
        self.test_batch = self._batch(1, args.size, labelled=(0,))
        self.steps: list[float] = []
        self.latencies: list[float] = []
        self.train_memory = 0

    def _batch(
        self, size: int, image: tuple[int, int], labelled: tuple[int, ...] = LABELLED
    ) -> dict:
        packed = clips(size, image, labelled) if self.events else frames(size, image)
        with torch.no_grad():
            return self.model.data_preprocessor(packed, training=True)

    def train_step(self) -> None:
        """One step with mixed precision on a GPU, in float32 on a CPU."""
        self.model.train()
        on_gpu = self.device.type == 'cuda'
        if on_gpu:
            torch.cuda.reset_peak_memory_stats()
        begin = self._clock()
        with torch.autocast('cuda', torch.float16) if on_gpu else nullcontext():
            losses = self.model.loss(self.train_batch['inputs'], self.train_batch['data_samples'])
        self.scaler.scale(self.model.parse_losses(losses)[0]).backward()
        self.scaler.step(self.optimizer)
        self.scaler.update()
        self.optimizer.zero_grad()
        self.steps.append(self._clock() - begin)
        if on_gpu:
            self.train_memory = max(self.train_memory, torch.cuda.max_memory_allocated())

    @torch.no_grad()
    def test_step(self) -> None:
        """Network and post-processing of one image or event representation."""
        self.model.eval()
        begin = self._clock()
        self.model.predict(self.test_batch['inputs'], self.test_batch['data_samples'])
        self.latencies.append(self._clock() - begin)

    @torch.no_grad()
    def flops(self) -> int:
        self.model.eval()
        with FlopCounterMode(display=False) as counter:
            self.model._forward(self.test_batch['inputs'], self.test_batch['data_samples'])
        return counter.get_total_flops()

    def parameters_at_inference(self) -> int:
        plain = to_plain(dict(self.model.named_parameters()))
        return sum(parameter.numel() for parameter in plain.values())

    def _clock(self) -> float:
        if self.device.type == 'cuda':
            torch.cuda.synchronize()
        return time.perf_counter()


def frames(size: int, image: tuple[int, int]) -> dict:
    """A batch of images with 12 boxes each."""
    width, height = image
    shapes = [[3, height, width]] * size
    return demo_mm_inputs(size, shapes, num_items=[12] * size, num_classes=8)


def clips(size: int, image: tuple[int, int], labelled: tuple[int, ...]) -> dict:
    """A batch of clips, 12 boxes in each labelled step; a clip ends with its last label or later.

    One labelled step makes a clip of one step: what a detector sees at a time in use.
    """
    width, height = image
    length = CLIP_LENGTH if len(labelled) > 1 else 1
    rates = torch.full((length, 20, height, width), EVENTS_PER_PIXEL / 20)
    data_samples = []
    for lane in range(size):
        clip = TrackDataSample(
            metainfo=dict(recording=lane, seed=0, start=0, stop=length, streamed=False)
        )
        clip.video_data_samples = frames(len(labelled), image)['data_samples']
        for sample, step in zip(clip.video_data_samples, labelled, strict=True):
            sample.set_metainfo(dict(step=step))
        data_samples.append(clip)
    inputs = [torch.poisson(rates).byte() for _ in range(size)]
    return dict(inputs=inputs, data_samples=data_samples)


def measure(args: argparse.Namespace) -> list[dict]:
    """Rows of the table; times are medians, ratios those to the first model."""
    register_all_modules()
    names = [args.only] if args.only else list(MODELS_COMPARED[args.family])
    models = [Measured(name, args) for name in names]
    resident = resident_bytes(models)
    for round_ in range(args.rounds + 2):
        for model in models:
            model.train_step()
            model.test_step()
        if round_ < 2:  # warm-up: memory pools, choice of algorithms
            for model in models:
                model.steps.clear()
                model.latencies.clear()
    base = models[0]
    return [
        dict(
            model=model.name,
            step_ms=statistics.median(model.steps) * 1e3,
            step_ratio=paired_ratio(model.steps, base.steps),
            train_memory_mb=train_memory_mb(model, resident, alone=len(models) == 1),
            latency_ms=statistics.median(model.latencies) * 1e3,
            latency_ratio=paired_ratio(model.latencies, base.latencies),
            train_parameters=sum(p.numel() for p in model.model.parameters()),
            test_parameters=model.parameters_at_inference(),
            test_gflops=model.flops() / 1e9,
        )
        for model in models
    ]


def paired_ratio(times: list[float], base: list[float]) -> float:
    """Median of the ratios of measurements that were taken one after the other."""
    return statistics.median(t / b for t, b in zip(times, base, strict=True))


def train_memory_mb(model: Measured, resident: int, alone: bool) -> float | None:
    """Peak of a training step on a GPU; on a CPU that of the process, if it held one model."""
    if resident:
        return (model.train_memory - resident) / 2**20
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10 if alone else None


def resident_bytes(models: list[Measured]) -> int:
    """GPU memory of all models and data at rest, which every peak contains."""
    if models[0].device.type != 'cuda':
        return 0
    return torch.cuda.memory_allocated()


def show(rows: list[dict], args: argparse.Namespace) -> None:
    threads = '' if args.device == 'cuda' else f', {torch.get_num_threads()} threads'
    size = f'{args.size[0]} x {args.size[1]}'
    print(f'{args.family}, batch {args.batch}, {size}, {args.device}{threads}\n')
    print(
        f'{"model":<20}{"step ms":>9}{"ratio":>7}{"memory MB":>11}{"latency ms":>12}{"ratio":>7}'
        f'{"M params":>10}{"(train)":>9}{"GFLOPs":>8}'
    )
    for r in rows:
        memory = '-' if r['train_memory_mb'] is None else f'{r["train_memory_mb"]:.0f}'
        print(
            f'{r["model"]:<20}{r["step_ms"]:>9.0f}{r["step_ratio"]:>7.2f}{memory:>11}'
            f'{r["latency_ms"]:>12.1f}{r["latency_ratio"]:>7.2f}{r["test_parameters"] / 1e6:>10.2f}'
            f'{r["train_parameters"] / 1e6:>9.2f}{r["test_gflops"]:>8.1f}'
        )
    by_name = {r['model']: r for r in rows}
    if len(rows) == 1:
        return
    auxiliary = by_name['ABC as published']['step_ms'] / by_name['4 levels']['step_ms']
    print(f'\nauxiliary task on four levels: {auxiliary:.2f} x the step of four levels alone')


def image_size(text: str) -> tuple[int, int]:
    width, height = (int(side) for side in text.split('x'))
    return width, height


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--family', choices=list(MODELS_COMPARED), default='frames')
    parser.add_argument('--only', choices=list(MODELS_COMPARED['frames']), help='one model alone')
    parser.add_argument('--batch', type=int, default=6)
    parser.add_argument('--size', type=image_size, default=(640, 384), help='WIDTHxHEIGHT')
    parser.add_argument('--rounds', type=int, default=10)
    parser.add_argument('--device', default='cuda' if torch.cuda.is_available() else 'cpu')
    parser.add_argument('--json', type=Path, help='write the rows to this file')
    args = parser.parse_args()
    rows = measure(args)
    show(rows, args)
    if args.json:
        args.json.write_text(json.dumps(rows, indent=2) + '\n')


if __name__ == '__main__':
    main()
