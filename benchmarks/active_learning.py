"""Does a choice of what to label beat chance? Half of HIT-UAV, chosen or random, several seeds.

A detector is fine-tuned on a random part of the training images. Then ``image_selection`` chooses,
from the images alone, as many of the others as bring the part to half of all; chance chooses as
many. From COCO's weights a detector is fine-tuned on either half, with the same schedule and seed,
and evaluated on validation images of other flights. The same seed also means the same first part.
Intervals are those of the ablation: bootstrap over images and seeds, paired. What is done is not
done again, so a run can be stopped and started anew.

    ABC_HITUAV=DIR ABC_YOLOX_NANO=FILE OMP_NUM_THREADS=1 python benchmarks/active_learning.py
        --work work_dirs/active_learning [--seeds 0 1 2] [--json FILE]
"""

import argparse
import json
import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from image_selection.selection import examine, features, select
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmengine.runner import load_checkpoint

import abc_mmdet  # noqa: F401
from abc_mmdet.apis import load_experiment, user_messages
from abc_mmdet.apis.options import whole_number
from abc_mmdet.evaluation.bootstrap import HEADLINE, difference_interval
from abc_mmdet.inference import Detector
from abc_mmdet.study.evaluate import evaluate
from abc_mmdet.study.run_files import packed, unpacked
from abc_mmdet.study.training import train
from abc_mmdet.utils.atomic_write import write_json
from mmdet.registry import MODELS

CONFIG = Path(__file__).parents[1] / 'configs/ablation_coco/baseline.py'
FIRST, ALL = 0.15, 0.5  # shares of the training images
SLICES = dict(slice_size=(384, 320), upscale=1.25, full_image=False)  # four, of 640 x 512 pixels
ARMS = ('random', 'selected')


def subset(annotations: dict[str, Any], names: Sequence[str]) -> dict[str, Any]:
    """A COCO file's content with these images alone."""
    wanted = set(names)
    images = [image for image in annotations['images'] if image['file_name'] in wanted]
    numbers = {image['id'] for image in images}
    boxes = [box for box in annotations['annotations'] if box['image_id'] in numbers]
    return dict(annotations, images=images, annotations=boxes)


def trained(
    annotations: dict[str, Any], names: Sequence[str], seed: int, iterations: int, folder: Path
) -> tuple[Config, Path]:
    """Experiment and weights of a detector fine-tuned on these images."""
    config = load_experiment(str(CONFIG), {'train_cfg.max_iters': iterations})
    file = folder / 'train.json'
    write_json(file, subset(annotations, names))
    config.train_dataloader.dataset.ann_file = str(file.resolve())
    return config, train(config, seed, folder)


def result(config: Config, weights: Path) -> dict[str, Any]:
    init_default_scope('mmdet')
    model = MODELS.build(config.model)
    load_checkpoint(model, str(weights), map_location='cpu')
    model.to(memory_format=torch.channels_last)
    found = evaluate(model, config)
    return dict(
        figures=found['figures'],
        judged_on=found['judged_on'],
        resampled=packed(found['resampled']),
    )


def chosen(
    config: Config, weights: Path, others: Sequence[str], first: Sequence[str], number: int
) -> list[str]:
    """Names of the images that the selection takes from ``others``; it sees no label."""
    folder = Path(os.environ['ABC_HITUAV']) / 'images'
    whole = Detector(config, weights, 'cpu')
    sliced = Detector(config, weights, 'cpu', SLICES)
    for detector in (whole, sliced):
        detector.model.to(memory_format=torch.channels_last)
    candidates = [examine(folder / name, whole, sliced) for name in others]
    labelled = np.stack([features(folder / name, whole) for name in first])
    return [each.path.name for each in select(candidates, number, labelled)]


def run_seed(annotations: dict[str, Any], seed: int, args: argparse.Namespace) -> None:
    """Both arms of a seed, as far as they are not done."""
    folder = args.work / f'seed{seed}'
    names = sorted(image['file_name'] for image in annotations['images'])
    order = [names[i] for i in np.random.default_rng(seed).permutation(len(names))]
    number = round(FIRST * len(names))
    first, others = order[:number], order[number:]
    more = round(ALL * len(names)) - number
    picks = folder / 'selected.json'
    if not picks.exists():
        config, weights = trained(annotations, first, seed, args.first_iterations, folder / 'first')
        begin = time.process_time()
        picked = chosen(config, weights, sorted(others), first, more)
        write_json(picks, dict(names=picked, cpu_seconds=time.process_time() - begin))
    halves = dict(random=others[:more], selected=json.loads(picks.read_text())['names'])
    for arm in ARMS:
        file = folder / arm / 'result.json'
        if file.exists():
            continue
        half = [*first, *halves[arm]]
        config, weights = trained(annotations, half, seed, args.iterations, folder / arm)
        boxes = len(subset(annotations, half)['annotations'])
        write_json(file, dict(images=len(half), boxes=boxes, **result(config, weights)))


def summary(work: Path, seeds: Sequence[int]) -> dict[str, Any]:
    """Figures of the seeds that are done, and differences of their halves."""
    done: dict[int, dict[str, Any]] = {}
    for seed in seeds:
        files = {arm: work / f'seed{seed}' / arm / 'result.json' for arm in ARMS}
        if all(file.exists() for file in files.values()):
            done[seed] = {arm: json.loads(file.read_text()) for arm, file in files.items()}
    differences = {}
    for name in HEADLINE:
        ours, theirs = (
            {seed: unpacked(of[arm]['resampled'][name]) for seed, of in done.items()}
            for arm in reversed(ARMS)
        )
        if not done:
            break
        by_seed = [
            of['selected']['figures'][name] - of['random']['figures'][name] for of in done.values()
        ]
        low, high = difference_interval(ours, theirs)
        differences[name] = dict(mean=float(np.mean(by_seed)), low=low, high=high, by_seed=by_seed)
    kept = {
        seed: {
            arm: {key: value for key, value in of[arm].items() if key != 'resampled'}
            for arm in ARMS
        }
        for seed, of in done.items()
    }
    return dict(differences=differences, seeds=kept)


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--work', type=Path, required=True, help='folder of trainings, kept')
    parser.add_argument('--seeds', type=whole_number, nargs='+', default=[0, 1, 2])
    parser.add_argument('--iterations', type=whole_number, default=250, help='on half')
    parser.add_argument('--first-iterations', type=whole_number, default=100, help='on the first')
    parser.add_argument('--json', type=Path, help='write the figures there')
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    torch.set_num_threads(1)
    path = Path(os.environ['ABC_HITUAV']) / 'annotations/train.json'
    annotations = json.loads(path.read_text())
    for seed in args.seeds:
        run_seed(annotations, seed, args)
        found = summary(args.work, args.seeds)
        for name, difference in found['differences'].items():
            print(
                f'{name:24} selected - random: {difference["mean"]:+.4f}  '
                f'[{difference["low"]:+.4f}, {difference["high"]:+.4f}]  by seed '
                + ' '.join(f'{value:+.4f}' for value in difference['by_seed']),
                flush=True,
            )
    if args.json:
        settings = dict(
            first=FIRST,
            all=ALL,
            iterations=args.iterations,
            first_iterations=args.first_iterations,
        )
        write_json(args.json, dict(settings=settings, **summary(args.work, args.seeds)))


if __name__ == '__main__':
    with user_messages():
        main()
