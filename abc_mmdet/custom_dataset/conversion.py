"""A data set of another format as COCO files, for a config."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from abc_mmdet.apis.output_files import check_outputs
from abc_mmdet.datasets.formats import DataSet, Options, read_folder, write_splits
from abc_mmdet.datasets.formats.folder import Folder
from abc_mmdet.errors import UserError


@dataclass(frozen=True)
class Converted:
    """What was written.

    Args:
        data: what was read.
        root: folder that file names are relative to.
        paths: of the files, by split.
        choice: splits for training and validation, by ``train`` and ``val``; without ``val`` where
            there is only one.
    """

    data: DataSet
    root: Path
    paths: dict[str, Path]
    choice: dict[str, str]


def convert(
    folder: str,
    place: Callable[[str], Path],
    name: str | None = None,
    options: Options | None = None,
    overwrite: bool = False,
) -> Converted:
    """Read a data set in any format and write its splits as COCO files.

    Args:
        folder: of images and annotations, or its ``data.yaml``.
        place: the file of a split.
        name: of the format; None to find out.
        options: what the folder does not say.
        overwrite: replace files that exist.

    Raises:
        UserError: of :func:`read_folder`; files that exist, or are among those that are read.
            Nothing is written then.
    """
    data = read_folder(folder, name, options)
    paths = {split: place(split) for split in data.splits}
    return _write(data, folder, paths, overwrite)


def convert_for_config(
    folder: str,
    out: Path,
    name: str | None = None,
    options: Options | None = None,
    into: Path | None = None,
    split_later: bool = False,
    overwrite: bool = False,
) -> Converted:
    """The same for the splits that a config names, beside it or in a folder.

    Args:
        folder, name, options, overwrite: as of :func:`convert`.
        out: the config; ``mine.py`` has ``mine_train.json`` and ``mine_val.json``.
        into: folder for ``train.json`` and ``val.json`` in place of that.
        split_later: validation takes a part of the training images: write these alone, to
            ``mine_all.json``.

    Raises:
        UserError: as :func:`convert`; no split for validation.
    """
    data = read_folder(folder, name, options)
    choice = splits_for_training(data)
    if split_later:
        places = {choice['train']: 'all'}
    elif 'val' not in choice:
        raise UserError(
            f'{folder} has no split for validation, only {", ".join(data.splits)}: add '
            '--val-share 0.2, which takes a fifth of the training images.'
        )
    else:
        places = {split: use for use, split in choice.items()}
    paths = {
        split: out.with_name(f'{out.stem}_{use}.json') if into is None else into / f'{use}.json'
        for split, use in places.items()
    }
    unused = [split for split in data.splits if split not in paths]
    if unused:
        data.notes.append(f'not used: {", ".join(unused)}')
    if choice.get('val') == 'test' and not split_later:
        data.notes.append('validation is on test, as there is no val')
    return _write(data, folder, paths, overwrite)


def _write(data: DataSet, folder: str, paths: dict[str, Path], overwrite: bool) -> Converted:
    given = Path(folder)
    root = Path(os.path.normpath(given if given.is_dir() else given.parent))
    check_outputs(
        {f'{path.name} of the conversion:': path for path in paths.values()},
        Folder(root).json_files,
    )
    for path in paths.values():
        if path.exists() and not overwrite:
            raise UserError(f'{path} exists: name another place, or pass --overwrite.')
    write_splits(data, root, paths)
    return Converted(data, root, paths, splits_for_training(data))


def splits_for_training(data: DataSet) -> dict[str, str]:
    """Which split is trained on, and which one validates; ``test`` only where there is no ``val``.

    Examples:
        >>> splits_for_training(DataSet('yolo', 'YOLO', ('a',), {'train': [], 'test': []}))
        {'train': 'train', 'val': 'test'}
    """
    known = list(data.splits)
    if 'train' not in known:
        return {'train': 'all' if 'all' in known else known[0]}
    val = next((split for split in ('val', 'test') if split in known), None)
    return {'train': 'train', **({'val': val} if val else {})}
