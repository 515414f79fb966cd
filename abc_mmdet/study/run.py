"""One run of a study, in a process of its own: python -m abc_mmdet.study.run CONFIG ...

Ends with 0 when the result is written, :data:`PAUSED` when it was asked to stop, :data:`TAKEN` when
another process is at it, and with anything else when it failed; then ``error.txt`` says why.
"""

from __future__ import annotations

import argparse
import fcntl
import json
import os
import platform
import shutil
import sys
import threading
import time
import traceback
from pathlib import Path

import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmengine.runner import load_checkpoint

import abc_mmdet  # noqa: F401  before mmdet: it provides what mmdet.models imports
from abc_mmdet.apis import check_data, config_mistakes, load_experiment
from abc_mmdet.checkpoints.loading import weights_only
from abc_mmdet.custom_dataset import check_annotation_files
from abc_mmdet.engine.optimizer import precision_on_cpu
from abc_mmdet.engine.training_log import curves, logged_scalars, training_cost
from abc_mmdet.utils.atomic_write import write_json
from mmdet.registry import MODELS

from .evaluate import evaluate, inference_cost
from .run_files import packed
from .training import Paused, train

PAUSED, TAKEN = 75, 76
LOCK_PATIENCE = 10.0  # seconds: a killed process's loaders hold its lock for a moment


def measure(config: Config, baseline: Config, seed: int, folder: Path) -> dict:
    """Train and evaluate an experiment; the content of its result file.

    Raises:
        Paused, UserError: see :func:`train`.
    """
    check_data(config, 'train_dataloader', 'val_dataloader')
    check_annotation_files(config, 'train_dataloader', 'val_dataloader')
    weights = train(config, seed, folder)
    init_default_scope('mmdet')
    device = 'cuda' if torch.cuda.is_available() else 'cpu'
    with config_mistakes(config.filename or 'the config'):
        model = MODELS.build(config.model).to(device)
    load_checkpoint(model, str(weights), map_location=device)
    evaluated = evaluate(model, config)
    scalars = logged_scalars(folder)
    return dict(
        figures=evaluated['figures'],
        train_figures=evaluated['train_figures'],
        cost={**training_cost(scalars), **inference_cost(config, baseline, device)},
        where=dict(
            on_gpu=device == 'cuda',
            device=torch.cuda.get_device_name() if device == 'cuda' else platform.machine(),
            precision='mixed'
            if device == 'cuda'
            else precision_on_cpu(config.optim_wrapper.get('cpu_dtype')),
            threads=torch.get_num_threads(),
            torch=torch.__version__,
        ),
        curves=curves(scalars),
        judged_on=evaluated['judged_on'],
        resampled=packed(evaluated['resampled']),
    )


def lock(folder: Path) -> bool:
    """Take a run's folder until this process ends, however it does; False if another has it."""
    handle = os.open(folder / 'lock', os.O_CREAT | os.O_RDWR)
    deadline = time.monotonic() + LOCK_PATIENCE
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        except BlockingIOError:
            if time.monotonic() > deadline:
                return False
            time.sleep(0.2)


def end_with_parent() -> None:
    """Exit when standard input closes, as it does when the queue that holds it is killed."""

    def watch() -> None:
        while os.read(0, 1):  # of the descriptor: Python may not exit while sys.stdin is read
            pass
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description='One run of a study.')
    parser.add_argument('config', type=Path)
    parser.add_argument('--baseline', type=Path, required=True)
    parser.add_argument('--seed', type=int, required=True)
    parser.add_argument('--folder', type=Path, required=True)
    parser.add_argument('--result', type=Path, required=True)
    parser.add_argument('--facts', required=True, help='JSON that goes into the result as it is')
    return parser.parse_args()


def forget_other_config(folder: Path, config_hash: str) -> None:
    """Empty a run's folder if another state of its config was being trained there."""
    mark = folder / 'config_hash'
    if mark.exists() and mark.read_text() == config_hash:
        return
    for path in folder.iterdir():
        if path.name not in ('lock', 'log.txt'):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    mark.write_text(config_hash)


def main() -> int:
    args = parse_args()
    facts = json.loads(args.facts)
    end_with_parent()
    args.folder.mkdir(parents=True, exist_ok=True)
    if not lock(args.folder):
        return TAKEN
    if args.result.exists():  # another queue was faster
        return 0
    forget_other_config(args.folder, facts['config'])
    try:
        with weights_only():
            config, baseline = (load_experiment(str(p)) for p in (args.config, args.baseline))
            result = measure(config, baseline, args.seed, args.folder)
    except Paused:
        return PAUSED
    except Exception as error:
        traceback.print_exc()
        (args.folder / 'error.txt').write_text(f'{type(error).__name__}: {error}')
        return 1
    write_json(args.result, {**facts, **result})
    return 0


if __name__ == '__main__':
    sys.exit(main())
