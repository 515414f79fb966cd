"""An ablation: a baseline and a table of variants, at one of several sizes, on some data."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmengine.config import Config

from abc_mmdet.apis import config_mistakes
from abc_mmdet.apis.experiment import NAME_LISTS, READ
from abc_mmdet.errors import UserError
from abc_mmdet.utils.atomic_write import replace_file

from .variant_table import BASELINE, check_entry, resolve

HASHED_FIELDS = (
    *('model', 'train_dataloader', 'val_dataloader', 'val_evaluator'),
    *('train_cfg', 'optim_wrapper', 'param_scheduler', 'auto_scale_lr'),
    *('custom_hooks', 'default_hooks', 'load_from', 'randomness', 'sync_bn'),
)
"""What a run of a study learns from and is evaluated by."""

OWN_HOOKS = ('checkpoint', 'logger', 'visualization')
"""Default hooks that a study sets itself, whatever the config says."""

NAMED_FILES = ('.pth', '.py')
"""Of weights and configs, which count by their names, wherever they lie."""


def config_hash(config: Config) -> str:
    """Twelve digits for an experiment.

    Neither the order of fields, nor variables of the config that nothing reads, nor the places of
    data and weights change it.

    Examples:
        >>> one, other = Config(dict(lr=1, load_from='a/x.pth')), Config(dict(load_from='b/x.pth'))
        >>> config_hash(one) == config_hash(other)
        True
    """
    kept = {field: config[field] for field in HASHED_FIELDS if config.get(field) is not None}
    if 'default_hooks' in kept:
        hooks = kept['default_hooks'].items()
        kept['default_hooks'] = {key: hook for key, hook in hooks if key not in OWN_HOOKS}
    root = str(config.get('data_root') or '').rstrip('/')
    text = json.dumps(_without_places(kept, root), sort_keys=True, default=repr)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _without_places(value: Any, root: str) -> Any:
    if isinstance(value, dict):
        return {key: _without_places(item, root) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_without_places(item, root) for item in value]
    if isinstance(value, str):
        if root and (value == root or value.startswith(f'{root}/')):
            return value[len(root) :].strip('/')
        if value.endswith(NAMED_FILES):
            return value.rpartition('/')[2]
    return value


SIZE_VARIABLE = 'ABC_ABLATION_SIZE'
DATA_VARIABLE = 'ABC_ABLATION_DATA'
VARIANT_VARIABLE = 'ABC_ABLATION_VARIANT'
BASELINE_FILE, TABLE_FILE = 'baseline.py', 'variants.py'
KEPT = ('data_root', 'data_help', *NAME_LISTS, *READ)
"""Of an exported config: what MMEngine reads, and what our command line does."""


@dataclass(frozen=True)
class Variant:
    """One entry of a table.

    Args:
        name: its key.
        title: how tables call it.
        order: place in tables, and in the queue.
        reason: why it should help.
        config_hash: of its experiment (:func:`abc_mmdet.study.variants.config_hash`).
    """

    name: str
    title: str
    order: float
    reason: str
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
        folder: of the ablation; its sizes and data sets are the keys of ``sizes`` and the names in
            ``datasets`` of its ``baseline.py``.
        size: name of a size.
        data: name of a data set; default: the first, where there are several.

    Returns:
        Its name at this size and on this data, such as ``ablation_coco_hituav_cpu``.

    Raises:
        UserError: the ablation has no such size or data set.
    """
    name = [folder.name]
    path = folder / BASELINE_FILE
    config = Config()
    if path.is_file():
        with config_mistakes(str(path)), _environment(SIZE_VARIABLE, DATA_VARIABLE):
            config = Config.fromfile(str(path))
    for option, variable, value, field in (
        ('data', DATA_VARIABLE, data, 'datasets'),
        ('size', SIZE_VARIABLE, size, 'sizes'),
    ):
        choices = list(config.get(field) or ())
        if value is None and not choices:
            continue
        value = choices[0] if value is None else value
        if (choices or option == 'data') and value not in choices:
            raise UserError(
                f'--{option} {value}: {folder} has {", ".join(choices) or "none to choose"} '
                f'({field} in {BASELINE_FILE}).'
            )
        os.environ[variable] = value
        name.append(value)
    return '_'.join(name)


class Ablation:
    """The table of a folder, at the size and on the data of :func:`use_variables`.

    Args:
        folder: with ``baseline.py`` and ``variants.py``
            (:mod:`abc_mmdet.study.variant_table` says what is in them).

    Raises:
        UserError: no such files, no entry ``baseline``, or mistakes in them.

    Examples:
        >>> from abc_mmdet.shipped import CONFIGS
        >>> ablation = Ablation(CONFIGS / 'ablation_coco')
        >>> ablation.config('lr_split').optim_wrapper.paramwise_cfg.custom_keys.backbone.lr_mult
        0.1
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path = folder / TABLE_FILE
        for file in (BASELINE_FILE, TABLE_FILE):
            if not (folder / file).is_file():
                raise UserError(
                    f'{folder} is no ablation: it needs {BASELINE_FILE}, which the others are '
                    f'compared with, and {TABLE_FILE}, the table of the others; it has no {file}.'
                )
        with config_mistakes(str(self.path)), _environment(**{VARIANT_VARIABLE: BASELINE}):
            content = Config.fromfile(str(self.path)).to_dict()
        self.table = content.pop('variants', None)
        self.base = content
        if not isinstance(self.table, dict) or BASELINE not in self.table:
            raise UserError(f'{self.path}: it needs a dict variants with an entry {BASELINE}.')
        for name, entry in self.table.items():
            check_entry(name, entry)

    def variants(self, names: Sequence[str] = ()) -> list[Variant]:
        """All variants, or those of the given names and always the baseline; in order.

        Raises:
            UserError: no such variant, or a wrong entry.
        """
        for name in names:
            if name not in self.table:
                raise UserError(
                    f'--variants {name}: {self.folder} has {", ".join(sorted(self.table))}.'
                )
        wanted = {BASELINE, *names} if names else self.table
        variants = []
        for name in wanted:
            digits = config_hash(self.config(name))
            entry = self.table[name]
            variants.append(Variant(name, entry['title'], entry['order'], entry['reason'], digits))
        return sorted(variants, key=lambda variant: (variant.order, variant.name))

    def description(self) -> str:
        """The table for people, in Markdown."""
        entries = sorted(self.table.items(), key=lambda item: (item[1]['order'], item[0]))
        lines = [
            f'| {entry["order"]:g} | `{name}` | {entry["title"]} | {entry["reason"]} |'
            for name, entry in entries
        ]
        return '\n'.join(['| order | name | title | why |', '|---|---|---|---|', *lines])

    def config(self, name: str) -> Config:
        """The experiment of a variant.

        Raises:
            UserError: see :func:`abc_mmdet.study.variant_table.resolve`.
        """
        with config_mistakes(f'{self.path}, variant {name}'):
            return resolve(self.base, self.table, name)

    def export(self, name: str, path: Path) -> None:
        """Write a variant as one config without ``_base_``, for ``tools/train.py`` and to keep.

        Raises:
            UserError: see :meth:`config`.
        """
        config = self.config(name)
        kept = Config({key: value for key, value in config.items() if key in KEPT})
        kept.work_dir = f'work_dirs/{path.stem}'
        entry = self.table[name]
        comment = f'# {name} of {self.folder.name}: {entry["title"]}.\n# {entry["reason"]}\n'
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_file(path, (comment + kept.pretty_text).encode())


@contextmanager
def _environment(*without: str, **values: str) -> Iterator[None]:
    """Environment variables that are there, or not there, inside."""
    former = {name: os.environ.get(name) for name in (*without, *values)}
    try:
        for name in former:
            os.environ.pop(name, None)
        os.environ.update(values)
        yield
    finally:
        for name, value in former.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value
