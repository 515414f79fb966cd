"""An ablation: a folder of configs, one file per variant, at one of several sizes, on some data."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mmengine.config import Config

from abc_mmdet.apis import load_experiment
from abc_mmdet.errors import UserError

SIZE_VARIABLE = 'ABC_ABLATION_SIZE'
DATA_VARIABLE = 'ABC_ABLATION_DATA'
BASELINE = 'baseline'
_WORDS = ('variant', 'data_root', 'data_help', 'size')
"""What a run is called, where its data lie, and numbers that other fields have their value from."""


@dataclass(frozen=True)
class Variant:
    """One experiment of an ablation.

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
    """A variant with a seed."""

    variant: Variant
    seed: int

    @property
    def name(self) -> str:
        return f'{self.variant.name}_seed{self.seed}'


def use_variables(folder: Path, size: str, data: str | None = None) -> str:
    """Let the configs of an ablation have this size and data from now on, in child processes too.

    Args:
        folder: of the ablation; its sizes and data sets are ``_base_/size_*.py`` and
            ``_base_/data_*.py``.
        size: name of a size.
        data: name of a data set; default: the first, where there are several.

    Returns:
        Its name at this size and on this data, such as ``ablation_coco_hituav_cpu``.

    Raises:
        UserError: the ablation has no such size or data set.
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


def read_ablation(folder: Path, names: Sequence[str] = ()) -> list[Variant]:
    """The variants of a folder, or those of the given names, and always the baseline; in order.

    A variant's config has a variable ``variant = dict(order=..., title=...)``.

    Raises:
        UserError: no such folder or variant, no baseline in it, a config without ``variant``.
    """
    variants = [_read_variant(path) for path in sorted(folder.glob('*.py'))]
    known = {variant.name for variant in variants}
    if BASELINE not in known:
        raise UserError(
            f'{folder} is no ablation: it needs a config {BASELINE}.py to compare the others with.'
        )
    for name in names:
        if name not in known:
            raise UserError(f'--variants {name}: {folder} has {", ".join(sorted(known))}.')
    wanted = {BASELINE, *names} if names else known
    return sorted((r for r in variants if r.name in wanted), key=lambda r: (r.order, r.name))


def _read_variant(path: Path) -> Variant:
    config = load_experiment(str(path))
    description = config.get('variant') or {}
    if set(description) != {'order', 'title'}:
        raise UserError(f"{path} is no variant: add variant = dict(order=NUMBER, title='WORDS').")
    return Variant(
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
        if kind == 'AtomicCheckpointHook':
            hook = dict(hook, type='CheckpointHook')
        if kind != 'ExactResumeHook':
            kept[name] = hook
    return kept
