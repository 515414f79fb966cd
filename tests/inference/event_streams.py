"""A small detector of events with random weights, and recordings for it."""

from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import torch
from mmengine.config import Config

from abc_mmdet.apis import load_experiment

CONFIG = Path(__file__).parents[2] / 'configs/small/abc_synthetic_events.py'
SIZE = (96, 64)
Events = dict[str, np.ndarray]


def tiny_config() -> Config:
    """The demo's, with 8 channels in place of 16."""
    return load_experiment(
        str(CONFIG),
        {
            'model.backbone.arch.embed_dim': 8,
            'model.backbone.arch.dim_head': 8,
            'model.neck.in_channels': [8, 16, 32, 64],
            'model.test_cfg.score_thr': 0.05,
        },
    )


def write_model(random_weights: Callable[[Config, Path], Config], folder: Path) -> tuple[str, str]:
    """Paths of a config and a checkpoint."""
    config = tiny_config()
    random_weights(config, folder / 'weights.pth')
    config.dump(folder / 'config.py')
    return str(folder / 'config.py'), str(folder / 'weights.pth')


def wake_adapter(path: Path) -> None:
    """Let the adapter in a checkpoint have an effect, as one that has learned has."""
    checkpoint = torch.load(path)
    generator = torch.Generator().manual_seed(0)
    found = [n for n in checkpoint['state_dict'] if n.startswith('adapter.outputs.')]
    assert found
    for name in found:
        checkpoint['state_dict'][name].normal_(std=0.5, generator=generator)
    torch.save(checkpoint, path)


def moving_block(seconds: float, begin_us: int = 1_000_000, seed: int = 0) -> Events:
    """Noise, and a block of 8 pixels that moves to the right; nothing from 0.2 to 0.31 s."""
    rng = np.random.default_rng(seed)
    number = int(20_000 * seconds)
    t = np.sort(rng.integers(0, int(seconds * 1e6), number))
    is_block = rng.random(number) < 0.6
    x, y = rng.integers(0, SIZE, (number, 2)).T
    x[is_block] = (10 + t[is_block] / 2e4 + rng.random(is_block.sum()) * 8) % SIZE[0]
    y[is_block] = 20 + rng.random(is_block.sum()) * 8
    kept = (t < 200_000) | (t > 310_000)
    p = rng.integers(0, 2, number)
    events = dict(x=x.astype('u2'), y=y.astype('u2'), p=p.astype('u1'), t=t + begin_us)
    return {name: column[kept] for name, column in events.items()}


def write_h5(path: Path, events: Events, size: tuple[int, int] | None = SIZE) -> Path:
    """In the layout of eTraM."""
    with h5py.File(path, 'w') as file:
        for name, column in events.items():
            file[f'events/{name}'] = column
        if size is not None:
            file['events/width'], file['events/height'] = size
    return path
