"""Looks at the files of an experiment before anything slow begins."""

import sys
from collections.abc import Iterator
from os import PathLike
from os.path import join
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

import torch
from mmengine.config import Config

from abc_mmdet.backslashes import backslash_hint
from abc_mmdet.checkpoint_archive import check_archive, is_whole
from abc_mmdet.datasets.wrapped import walk
from abc_mmdet.errors import UserError


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


def data_paths(dataset: Any, field: str) -> Iterator[tuple[str, str]]:
    """Config fields and paths of the files a data set needs, also inside wrappers.

    Raises:
        UserError: there is no data set, or a path that is none.
    """
    for name, part in walk(dataset, field):
        if not isinstance(part, dict):
            raise UserError(f'{name}={part!r} is no data set: give a dict with its type.')
        root = _path(part.get('data_root'), f'{name}.data_root')
        if part.get('ann_file'):
            yield f'{name}.ann_file', join(root, _path(part['ann_file'], f'{name}.ann_file'))
        prefixes = part.get('data_prefix') or {}
        if not isinstance(prefixes, dict):
            raise UserError(f'{name}.data_prefix={prefixes!r}: give a dict, as dict(img=FOLDER).')
        for kind, prefix in prefixes.items():
            if isinstance(prefix, str) and join(root, prefix):
                yield f'{name}.data_prefix.{kind}', join(root, prefix)


def _path(value: Any, field: str) -> str:
    if value is None or isinstance(value, (str, PathLike)):
        return str(value or '')
    raise UserError(
        f'{field}={value!r} is no path. Several annotation files are several data sets: '
        "dict(type='ConcatDataset', datasets=[...])."
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
