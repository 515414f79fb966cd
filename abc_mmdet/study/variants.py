"""A ladder: a folder of configs, one file per rung, at one of several sizes, on some data."""

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
DATA_VARIABLE = 'ABC_LADDER_DATA'
BASELINE = 'baseline'
_WORDS = ('rung', 'data_root', 'data_help', 'size')
"""What a run is called, where its data lie, and numbers that other fields have their value from."""


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


def use_variables(folder: Path, size: str, data: str | None = None) -> str:
    """Let the configs of a ladder have this size and data from now on, in child processes too.

    Args:
        folder: of the ladder; its sizes and data sets are ``_base_/size_*.py`` and
            ``_base_/data_*.py``.
        size: name of a size.
        data: name of a data set; default: the first, where there are several.

    Returns:
        The name of the ladder at this size and on this data, such as ``ladder_coco_hituav_cpu``.

    Raises:
        UserError: the ladder has no such size or data set.
    """
    name = [folder.name]
    for option, variable, value in (
        ('data', DATA_VARIABLE, data),
        ('size', SIZE_VARIABLE, size),
    ):
        choices = sorted(
            path.stem.removeprefix(f'{option}_') for path in folder.glob(f'_base_/{option}_*.py')
        )
        if value is None and not choices:
            continue
        value = choices[0] if value is None else value
        if (choices or option == 'data') and value not in choices:
            raise UserError(
                f'--{option} {value}: {folder} has {", ".join(choices) or "none to choose"} '
                f'(_base_/{option}_*.py).'
            )
        os.environ[variable] = value
        name.append(value)
    return '_'.join(name)


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
    if kept.get('load_from'):  # wherever the file lies
        kept['load_from'] = kept['load_from'].rpartition('/')[2]
    teacher = kept.get('model', {}).get('teacher')
    if teacher:
        names = {key: str(value).rpartition('/')[2] for key, value in teacher.items()}
        kept['model'] = dict(kept['model'], teacher=names)
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
