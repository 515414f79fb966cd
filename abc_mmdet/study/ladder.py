"""A ladder: a folder of configs, one file per rung, at one of several sizes."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mmengine.config import Config

from abc_mmdet.apis import load_experiment
from abc_mmdet.errors import UserError

SIZE_VARIABLE = 'ABC_LADDER_SIZE'
BASELINE = 'baseline'
_WORDS = ('rung', 'data_root', 'data_help')  # say what a run is called and where its data lie


@dataclass(frozen=True)
class Rung:
    """One experiment of a ladder.

    Args:
        name: of its file, without ``.py``.
        path: of its config.
        title: how tables call it.
        order: place in tables, and in the queue.
        config_hash: changes when the experiment does, and with nothing else.
    """

    name: str
    path: Path
    title: str
    order: float
    config_hash: str


@dataclass(frozen=True)
class Run:
    """A rung with a seed."""

    rung: Rung
    seed: int

    @property
    def name(self) -> str:
        return f'{self.rung.name}_seed{self.seed}'


def use_size(folder: Path, size: str) -> str:
    """Let the configs of a ladder have this size from now on, in child processes too.

    Returns:
        The name of the ladder at this size, such as ``ladder_cpu``.

    Raises:
        UserError: the ladder has no such size.
    """
    sizes = sorted(path.stem[len('size_') :] for path in folder.glob('_base_/size_*.py'))
    if sizes and size not in sizes:
        raise UserError(f'--size {size}: {folder} has {", ".join(sizes)} (_base_/size_*.py).')
    os.environ[SIZE_VARIABLE] = size
    return f'{folder.name}_{size}'


def read_ladder(folder: Path, names: Sequence[str] = ()) -> list[Rung]:
    """The rungs of a folder, or those of the given names, and always the baseline; in order.

    A rung's config has a variable ``rung = dict(order=..., title=...)``.

    Raises:
        UserError: no such folder or rung, a folder without baseline, a config without ``rung``.
    """
    rungs = [_read_rung(path) for path in sorted(folder.glob('*.py'))]
    known = {rung.name for rung in rungs}
    if BASELINE not in known:
        raise UserError(
            f'{folder} is no ladder: it needs a config {BASELINE}.py to compare the others with.'
        )
    for name in names:
        if name not in known:
            raise UserError(f'--rungs {name}: {folder} has {", ".join(sorted(known))}.')
    wanted = {BASELINE, *names} if names else known
    return sorted((r for r in rungs if r.name in wanted), key=lambda r: (r.order, r.name))


def _read_rung(path: Path) -> Rung:
    config = load_experiment(str(path))
    description = config.get('rung') or {}
    if set(description) != {'order', 'title'}:
        raise UserError(f"{path} is no rung: add rung = dict(order=NUMBER, title='WORDS').")
    return Rung(
        path.stem, path, description['title'], description['order'], _config_hash(path, config)
    )


def _config_hash(path: Path, config: Config) -> str:
    if config.get('data_root'):
        config = load_experiment(str(path), dict(data_root='data'))
    kept = {key: value for key, value in config.items() if key not in (*_WORDS, 'work_dir')}
    if 'default_hooks' in kept:
        kept['default_hooks'] = _of_the_experiment(kept['default_hooks'])
    return hashlib.sha256(Config(kept).pretty_text.encode()).hexdigest()[:12]


def _of_the_experiment(hooks: dict) -> dict:
    """Hooks as MMEngine has them: how a run is kept and resumed is no part of the experiment."""
    kept = {}
    for name, hook in hooks.items():
        kind = (hook or {}).get('type')
        if kind == 'WholeCheckpointHook':
            hook = dict(hook, type='CheckpointHook')
        if kind != 'ExactResumeHook':
            kept[name] = hook
    return kept
