"""Reads an experiment, and looks at its files before anything slow begins."""

import inspect
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

import torch
from mmengine.config import Config
from mmengine.runner import Runner

from abc_mmdet.checkpoints.loading import check_archive, is_whole
from abc_mmdet.errors import UserError, backslash_hint
from abc_mmdet.models.small_classes import ALL
from abc_mmdet.shipped import find_config
from abc_mmdet.utils.processes import say

from .config_parts import data_paths
from .run_length import LENGTHS, stretch
from .standard_config import carry_ground_truth
from .user_messages import config_mistakes

# Variables of our configs that other fields were computed from when the file was read.
NAME_LISTS = ('classes', 'small_classes')


# What MMEngine and MMDetection read of a config, beside the runner's own arguments
READ = (
    *('activation_checkpointing', 'compile', 'custom_imports', 'find_unused_parameters'),
    *('model_wrapper_cfg', 'sync_bn', 'tta_model', 'tta_pipeline'),
    *inspect.signature(Runner).parameters,
)


def load_experiment(
    path: str, cfg_options: dict[str, Any] | None = None, work_dir: str | None = None
) -> Config:
    """Config file with overrides; ``work_dir`` as in MMDetection (argument, file, file name).

    ``path`` may be the name of a shipped config (:func:`abc_mmdet.shipped.find_config`).

    A config's variables are plain values by the time it is loaded: overriding ``data_root`` alone
    would leave the data sets where they were. Therefore ``data_root``, ``classes`` and
    ``small_classes`` among the overrides also change the fields that had their value from them, and
    other variables are refused. With ``train_cfg.max_iters`` or ``max_epochs`` goes what depends on
    the length (:func:`abc_mmdet.apis.run_length.stretch`), but for what is overridden too.

    Raises:
        UserError: no such file, one that is no valid config, or an override without effect.
    """
    given, path = path, find_config(path)
    if path != given:
        say(f'config: {path}')
    with config_mistakes(path):
        config = Config.fromfile(path)
        options = dict(cfg_options or {})
        if 'data_root' in options:
            _use_data_root(config, str(options.pop('data_root')))
        for variable in NAME_LISTS:
            if variable in options:
                _use_names(config, variable, options.pop(variable))
        for option in options:
            _check_is_read(config, option)
        for field in LENGTHS:
            if f'train_cfg.{field}' in options:
                changes = stretch(config, field, options[f'train_cfg.{field}'])
                if changes:
                    lines = '\n  '.join(changes)
                    say(f'train_cfg.{field} is changed; with it go\n  {lines}')
        config.merge_from_dict(options)
        carry_ground_truth(config)
    if work_dir == '':
        raise UserError("--work-dir '' names no folder (a variable of the shell without a value?).")
    if work_dir is not None:
        config.work_dir = work_dir
    elif config.get('work_dir') is None:
        config.work_dir = str(Path('work_dirs') / Path(path).stem)
    return config


def _check_is_read(config: Config, option: str) -> None:
    """Refuse to override what nothing reads any more, or never did."""
    variable = option.split('.')[0]
    if variable in READ:
        return
    last = option.split('.')[-1]
    fields = [field for key in READ for field in _fields(config.get(key), key, last)][:5]
    if variable in config:
        problem = (
            'a variable of the config file, and the fields that use it have their value already'
        )
    else:
        problem = 'nothing reads a field of this name'
    advice = (
        f'Override instead: {", ".join(fields)}' if fields else 'Override the fields themselves'
    )
    raise UserError(f'--cfg-options {option}: {problem}. {advice}.')


def _fields(value: Any, path: str, name: str) -> Iterator[str]:
    """Paths below a field that end with a name."""
    items: Iterable[tuple[Any, Any]]
    if isinstance(value, dict):
        items = value.items()
    elif isinstance(value, (list, tuple)):
        items = enumerate(value)
    else:
        return
    for key, child in items:
        if key == name:
            yield f'{path}.{key}'
        yield from _fields(child, f'{path}.{key}', name)


def _use_data_root(config: Config, data_root: str) -> None:
    """Move every path of the config that lies below its ``data_root``."""
    old = _variable(config, 'data_root').rstrip('/')
    new = data_root.rstrip('/') + '/'

    def moved(_: str, value: Any) -> Any:
        is_below = isinstance(value, str) and (value == old or value.startswith(old + '/'))
        return new + value[len(old) :].lstrip('/') if is_below else value

    _replace(config, moved)


def _use_names(config: Config, variable: str, names: Any) -> None:
    """Replace the lists of class names of this name and value, wherever they are in the config."""
    old = _names(_variable(config, variable), variable)
    new = _names(names, variable)

    def renamed(key: str, value: Any) -> Any:
        is_names = key == variable and (isinstance(value, (list, tuple)) or value == ALL)
        return new if is_names and _names(value, variable) == old else value

    _replace(config, renamed)


def _names(value: Any, variable: str) -> Any:
    """A tuple of names; the word for all of them stays as it is."""
    if variable == 'small_classes' and value == ALL:
        return value
    return (value,) if isinstance(value, str) else tuple(value)


def _variable(config: Config, name: str) -> Any:
    if config.get(name) in (None, ''):
        raise UserError(
            f'The config has no variable {name} to override; override the fields themselves '
            f'instead, for example train_dataloader.dataset.data_root=...'
        )
    return config[name]


def _replace(config: Config, new_value: Callable[[str, Any], Any]) -> None:
    """Put every value through ``new_value(key, value)``; items of a list have the list's key."""

    def walk(key: str, value: Any) -> Any:
        value = new_value(key, value)
        if isinstance(value, dict):
            return {k: walk(k, v) for k, v in value.items()}
        if isinstance(value, (list, tuple)):
            return type(value)(walk(key, item) for item in value)
        return value

    config.merge_from_dict({key: walk(key, value) for key, value in config.items()})


def check_data(config: Config, *loaders: str) -> None:
    """Check that annotation files and image folders of the named data loaders exist.

    A config can say how to get its data in a variable ``data_help``; it becomes part of the
    message.

    Args:
        config: the experiment.
        *loaders: fields such as ``train_dataloader``; ``None`` or missing ones are passed over.

    Raises:
        UserError: the first path that is missing, with the remedy.
    """
    for loader in loaders:
        if config.get(loader) is None:
            continue
        for field, path in data_paths(config[loader].get('dataset'), f'{loader}.dataset'):
            if '://' not in path and not Path(path).exists():
                raise UserError(
                    f'{field}: {path} does not exist (from {Path.cwd()}).{backslash_hint(path)}\n'
                    'Put the data there, or name its folder: --cfg-options data_root=DIR.\n'
                    + config.get('data_help', '')
                )


def check_checkpoint(path: str, argument: str) -> None:
    """Check that a checkpoint exists and is whole enough to be opened; get it from the web before.

    Raises:
        UserError: no such file, an empty one, a truncated or packed archive, or an address that
            cannot be reached.
    """
    if path.startswith(('http://', 'https://')):
        _download(path, argument)
    if '://' in path:
        return
    if not Path(path).is_file():
        raise UserError(
            f'{argument}: there is no checkpoint {path}.{backslash_hint(path)} Training '
            'writes them to its work_dir (iter_*.pth or epoch_*.pth; the newest is named in the '
            'file last_checkpoint there).'
        )
    check_archive(path, f'{argument}: {path}')
    with open(path, 'rb') as file:
        start = file.read(4)
    # torch.save writes a zip archive; old files are bare pickles and begin with byte 0x80
    if not (start[:1] == b'\x80' or is_whole(Path(path))):
        raise UserError(
            f'{argument}: {path} is no checkpoint, or is damaged (cut off while written?). '
            'Use an older one of the same run.'
        )


def _download(address: str, argument: str) -> None:
    """Put a checkpoint where PyTorch and MMEngine look for it, unless it is there."""
    path = Path(torch.hub.get_dir()) / 'checkpoints' / Path(urlparse(address).path).name
    if path.is_file():
        return
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        torch.hub.download_url_to_file(address, str(path), progress=sys.stderr.isatty())
    except (OSError, RuntimeError) as error:
        raise UserError(
            f'{argument}: {address} cannot be downloaded ({error}).\n'
            f'Without internet put the file at {path}, or give its path as {argument}; '
            'load_from=None (new_config.py --weights none) trains from scratch.'
        ) from error
