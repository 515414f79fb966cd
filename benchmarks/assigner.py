"""Time and peak memory of FastSimOTAAssigner against MMDetection's SimOTAAssigner.

    python benchmarks/assigner.py [--device cuda] [--strides 4 8 16 32] [--json rows.json]

One image with the priors of an anchor-free head and the predictions of a trained one, the same
for both assigners. They run by turns, after a warm-up. Ratios are MMDetection's figure over ours:
of the median times, of the best times (steadier on a machine that is busy with other things) and
of the peak memory. That is what the assignment allocates on top of its inputs: on the CPU the
running sum of the allocator's events as ``torch.profiler`` records them, on CUDA
``torch.cuda.max_memory_allocated``. The CPU threads are PyTorch's (``OMP_NUM_THREADS``).
"""

import argparse
import json
import os
import statistics
import time
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault('KINETO_LOG_LEVEL', '99')  # the profiler complains where there is no GPU

import torch
from mmengine.structures import InstanceData
from torch.profiler import ProfilerActivity, profile

from abc_mmdet.models.task_modules import FastSimOTAAssigner
from mmdet.models.task_modules.assigners import SimOTAAssigner
from mmdet.models.task_modules.prior_generators import MlvlPointGenerator

COLUMNS = {
    'classes': '7d',
    'boxes': '5d',
    'mmdet_ms': '8.1f',
    'fast_ms': '7.2f',
    'time_ratio': '10.1f',
    'best_time_ratio': '15.1f',
    'mmdet_mib': '9.1f',
    'fast_mib': '8.2f',
    'memory_ratio': '12.1f',
    'identical': '9s',
}


def trained_predictions(
    num_boxes: int, num_classes: int, strides: list[int], image_size: int, seed: int
) -> tuple[InstanceData, InstanceData]:
    """Boxes of 8 to 100 pixels, and predictions of a trained detector for them.

    A prior predicts the box whose centre is nearest, the worse the further away it is in
    strides, and is confident of that box's class accordingly; other classes score near 0.
    """
    rng = torch.Generator().manual_seed(seed)
    sizes = [(image_size // stride, image_size // stride) for stride in strides]
    points = torch.cat(MlvlPointGenerator(strides, offset=0.5).grid_priors(sizes, device='cpu'))
    stride = torch.cat(
        [torch.full((h * w, 1), float(s)) for s, (h, w) in zip(strides, sizes, strict=True)]
    )
    priors = torch.cat([points, stride, stride], dim=1)

    centers = torch.rand(num_boxes, 2, generator=rng) * image_size
    half = 4 * 12.5 ** torch.rand(num_boxes, 2, generator=rng)
    gts = torch.cat([centers - half, centers + half], dim=1).clamp(0, image_size)
    labels = torch.randint(num_classes, (num_boxes,), generator=rng)

    distance, nearest = torch.cdist(points, centers).min(dim=1)
    strides_away = distance / stride.squeeze(1)
    noise = torch.randn(len(priors), 4, generator=rng) * half[nearest].repeat(1, 2)
    bboxes = gts[nearest] + noise * (0.1 + 0.1 * strides_away).unsqueeze(1)
    scores = 10 ** -(2 + 2 * torch.rand(len(priors), num_classes, generator=rng))
    logits = 3 - 1.5 * strides_away + 0.5 * torch.randn(len(priors), generator=rng)
    scores[torch.arange(len(priors)), labels[nearest]] = logits.sigmoid()
    return (
        InstanceData(priors=priors, bboxes=bboxes, scores=scores),
        InstanceData(bboxes=gts, labels=labels),
    )


def seconds(assign: Callable[[], object], device: str) -> float:
    """Wall time of one call."""
    start = time.perf_counter()
    assign()
    if device == 'cuda':
        torch.cuda.synchronize()
    return time.perf_counter() - start


def peak_bytes(assign: Callable[[], object], device: str) -> int:
    """Most memory that one call holds at a time, above what was held before."""
    if device == 'cuda':
        torch.cuda.synchronize()
        before = torch.cuda.memory_allocated()
        torch.cuda.reset_peak_memory_stats()
        assign()
        torch.cuda.synchronize()
        return torch.cuda.max_memory_allocated() - before
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiler:
        assign()
    held = peak = 0
    events = profiler.profiler.kineto_results.events()
    for event in sorted(events, key=lambda event: event.start_ns()):
        if event.name() == '[memory]':
            held += event.nbytes()  # negative where memory is freed
            peak = max(peak, held)
    return peak


def compare(num_boxes: int, num_classes: int, options: argparse.Namespace) -> dict:
    """One row of the table."""
    scene = trained_predictions(
        num_boxes, num_classes, options.strides, options.image_size, options.seed
    )
    scene = [part.to(options.device) for part in scene]
    mmdet, fast = SimOTAAssigner(), FastSimOTAAssigner()
    expected, actual = mmdet.assign(*scene), fast.assign(*scene)
    peaks = [peak_bytes(lambda a=a: a.assign(*scene), options.device) for a in (mmdet, fast)]
    times: list[list[float]] = [[], []]
    for _ in range(options.repeats):
        for assigner, its_times in zip((mmdet, fast), times, strict=True):
            its_times.append(seconds(lambda a=assigner: a.assign(*scene), options.device))
    mmdet_ms, fast_ms = (1000 * statistics.median(its_times) for its_times in times)
    return {
        'classes': num_classes,
        'boxes': num_boxes,
        'priors': len(scene[0]),
        'assigned': int((expected.gt_inds > 0).sum()),
        'mmdet_ms': mmdet_ms,
        'fast_ms': fast_ms,
        'time_ratio': mmdet_ms / fast_ms,
        'best_time_ratio': min(times[0]) / min(times[1]),
        'mmdet_mib': peaks[0] / 2**20,
        'fast_mib': peaks[1] / 2**20,
        'memory_ratio': peaks[0] / peaks[1],
        'identical': all(
            torch.equal(getattr(actual, field), getattr(expected, field))
            for field in ('gt_inds', 'labels', 'max_overlaps')
        ),
    }


def parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('--device', choices=['cpu', 'cuda'], default='cpu')
    parser.add_argument('--boxes', type=int, nargs='+', default=[10, 50, 150, 300])
    parser.add_argument('--classes', type=int, nargs='+', default=[8, 80])
    parser.add_argument('--strides', type=int, nargs='+', default=[8, 16, 32])
    parser.add_argument('--image-size', type=int, default=640, help='side in pixels')
    parser.add_argument('--repeats', type=int, default=7, help='timed runs of each assigner')
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument('--json', type=Path, metavar='FILE', help='write the rows here, too')
    options = parser.parse_args()
    for name in ('boxes', 'classes', 'strides'):
        if min(getattr(options, name)) < 1:
            parser.error(f'--{name} must be positive')
    if options.repeats < 1 or options.image_size < max(options.strides):
        parser.error('--repeats must be positive and --image-size at least the largest stride')
    if options.device == 'cuda' and not torch.cuda.is_available():
        parser.error('--device cuda: PyTorch sees no GPU here; leave the option out for the CPU')
    if options.json and not options.json.parent.is_dir():
        parser.error(f'--json: there is no folder {options.json.parent}; create it first')
    return options


def main() -> None:
    options = parse_options()
    where = f'{torch.get_num_threads()} CPU thread(s)'
    if options.device == 'cuda':
        where = torch.cuda.get_device_name()
    size = f'{options.image_size}x{options.image_size}'
    print(f'{size}, strides {options.strides}, {where}, PyTorch {torch.__version__}')
    print('  '.join(name.rjust(int(COLUMNS[name].split('.')[0].rstrip('ds'))) for name in COLUMNS))
    rows = []
    for num_classes in options.classes:
        for num_boxes in options.boxes:
            row = compare(num_boxes, num_classes, options)
            rows.append(row)
            cells = {**row, 'identical': 'yes' if row['identical'] else 'NO'}
            print('  '.join(format(cells[name], COLUMNS[name]) for name in COLUMNS), flush=True)
    if options.json:
        unfinished = options.json.with_name(options.json.name + '.part')
        unfinished.write_text(json.dumps(rows, indent=2) + '\n')
        os.replace(unfinished, options.json)


if __name__ == '__main__':
    main()
