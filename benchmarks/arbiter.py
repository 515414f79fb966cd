"""What the arbiter adds to a training step, in each of its modes.

    OMP_NUM_THREADS=1 python benchmarks/arbiter.py [--config FILE] [--batch 1] [--json FILE]

One model is trained with every arbiter by turns, each step beside one without an arbiter, where
autograd adds the gradients up and nothing is measured. The ratio is the median of the ratios of
such pairs. Percents are lost in its noise, so what the arbiter does is also timed alone, on the
same features: its time beyond that of adding up, in percent of the step. On a CPU with one thread
it is the time of the process that counts, so that other work on the machine disturbs less;
otherwise it is the time on the clock.
"""

import argparse
import json
import statistics
import time
from contextlib import nullcontext
from pathlib import Path

import torch
from mmengine.config import Config
from overhead import image_size, paired_ratio
from torch import nn

import abc_mmdet  # noqa: F401
from abc_mmdet.models.gradient_arbiter import MODES, UNITS, GradientArbiter
from mmdet.registry import MODELS
from mmdet.testing import demo_mm_inputs
from mmdet.utils import register_all_modules

CONFIG = Path(__file__).parents[1] / 'configs/frames/abc_100k.py'


class Trainer:
    """A model whose arbiter can be changed from step to step."""

    def __init__(self, args: argparse.Namespace) -> None:
        torch.manual_seed(0)
        self.device = torch.device(args.device)
        model = MODELS.build(Config.fromfile(args.config).model)
        model.init_weights()
        self.model = model.to(self.device).train()
        self.optimizer = torch.optim.AdamW(model.parameters(), lr=1e-5)
        self.scaler = torch.amp.GradScaler(self.device.type, enabled=self.on_gpu)
        width, height = args.size
        shapes = [[3, height, width]] * args.batch
        data = demo_mm_inputs(
            args.batch, shapes, num_items=[12] * args.batch, num_classes=model.bbox_head.num_classes
        )
        with torch.no_grad():
            self.data = model.data_preprocessor(data, training=True)

    @property
    def on_gpu(self) -> bool:
        return self.device.type == 'cuda'

    def arbiter(self, mode: str, per: str) -> GradientArbiter:
        built_in = self.model.bbox_head.arbiter
        made = GradientArbiter(built_in.main_strides, built_in.aux_strides, mode, per)
        return made.to(self.device)

    def step(self, arbiter: nn.Module | None) -> float:
        """Seconds of one iteration; mixed precision on a GPU, float32 on a CPU."""
        self.model.bbox_head.arbiter = arbiter
        begin = self._clock()
        with torch.autocast('cuda', torch.float16) if self.on_gpu else nullcontext():
            losses = self.model.loss(self.data['inputs'], self.data['data_samples'])
        loss, _ = self.model.parse_losses(losses)
        self.scaler.scale(loss).backward()
        self.scaler.step(self.optimizer)
        self.scaler.update()
        self.optimizer.zero_grad()
        return self._clock() - begin

    def alone(self, arbiter: GradientArbiter, repeats: int) -> float:
        """Seconds of one pass through the arbiter and back, beyond those of plain sums."""
        head = self.model.bbox_head
        with torch.no_grad():
            pyramid = self.model.extract_feat(self.data['inputs'])
        if self.on_gpu:
            pyramid = [level.half() for level in pyramid]
        leaves = [level.requires_grad_() for level in pyramid]
        main, aux = head._main_levels(leaves), head._aux_levels(leaves)
        gradients = [torch.randn_like(level) for level in (*main, *aux)]
        times: tuple[list[float], list[float]] = ([], [])
        for _ in range(repeats):
            for its_times, arbitrate in zip(times, (True, False), strict=True):
                begin = self._clock()
                levels = arbiter(main, aux) if arbitrate else (main, aux)
                outs = [level.view_as(level) for part in levels for level in part]
                inputs = [*leaves, arbiter.probe] if arbitrate else leaves
                torch.autograd.grad(outs, inputs, gradients)
                its_times.append(self._clock() - begin)
        return statistics.median(times[0]) - statistics.median(times[1])

    def _clock(self) -> float:
        if self.on_gpu:
            torch.cuda.synchronize()
        elif torch.get_num_threads() == 1:
            return time.process_time()
        return time.perf_counter()


def measure(args: argparse.Namespace) -> list[dict]:
    """One row per mode and unit."""
    register_all_modules()
    trainer = Trainer(args)
    arbiters = {(mode, per): trainer.arbiter(mode, per) for mode in args.modes for per in args.per}
    times = {key: ([], []) for key in arbiters}  # with and without
    for round_ in range(args.rounds + 1):
        for key, arbiter in arbiters.items():
            pair = [arbiter, None] if round_ % 2 else [None, arbiter]
            seconds = {id(one): trainer.step(one) for one in pair}
            if round_:  # the first is a warm-up
                times[key][0].append(seconds[id(arbiter)])
                times[key][1].append(seconds[id(None)])
    rows = []
    for (mode, per), arbiter in arbiters.items():
        with_it, without = times[mode, per]
        alone, step = trainer.alone(arbiter, 2 * args.rounds), statistics.median(without)
        rows.append(
            dict(
                mode=mode,
                per=per,
                step_ratio=paired_ratio(with_it, without),
                step_ms=statistics.median(with_it) * 1e3,
                plain_step_ms=step * 1e3,
                alone_ms=alone * 1e3,
                alone_percent=alone / step * 100,
            )
        )
    return rows


def show(rows: list[dict], args: argparse.Namespace) -> None:
    threads = '' if args.device == 'cuda' else f', {torch.get_num_threads()} threads'
    size = f'{args.size[0]} x {args.size[1]}'
    print(f'{args.config.stem}, batch {args.batch}, {size}, {args.device}{threads}\n')
    print(f'{"mode":<12}{"per":<10}{"step ms":>9}{"without":>9}{"ratio":>8}{"alone %":>9}')
    for r in rows:
        print(
            f'{r["mode"]:<12}{r["per"]:<10}{r["step_ms"]:>9.0f}{r["plain_step_ms"]:>9.0f}'
            f'{r["step_ratio"]:>8.3f}{r["alone_percent"]:>9.2f}'
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--config', type=Path, default=CONFIG, help='of a model with an ABCHead')
    parser.add_argument('--modes', nargs='+', choices=MODES, default=MODES)
    parser.add_argument('--per', nargs='+', choices=list(UNITS), default=list(UNITS))
    parser.add_argument('--batch', type=int, default=1)
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
