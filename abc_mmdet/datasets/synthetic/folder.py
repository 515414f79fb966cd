"""What a generated data set is made from, and its folder: whole under its name, or not there."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from abc_mmdet.errors import UserError

SPLITS = ('train', 'val')


@dataclass(frozen=True)
class BaseRecipe:
    """All that decides what a data set contains.

    Args:
        train, val: number of images or recordings; the two splits show different streets.
        width, height: of the images, pixels; smaller ones see the same in less detail.
        seed: of everything random.

    Raises:
        UserError: for values that make no data set.

    Examples:
        >>> BaseRecipe(train=2, val=0, width=640, height=384, seed=0)
        Traceback (most recent call last):
        abc_mmdet.errors.UserError: --val 0: at least one is needed.
    """

    train: int
    val: int
    width: int
    height: int
    seed: int

    def __post_init__(self) -> None:
        for name in SPLITS:
            if getattr(self, name) < 1:
                raise UserError(f'--{name} {getattr(self, name)}: at least one is needed.')
        if not all(64 <= side <= 4096 for side in (self.width, self.height)):
            size = f'{self.width}x{self.height}'
            raise UserError(f'--size {size}: both sides must be 64 to 4096 pixels.')
        if self.seed < 0:
            raise UserError(f'--seed {self.seed}: it must not be negative.')

    def info(self, generator: str, version: str) -> dict:
        """What is written beside the data, to know it again."""
        return dict(description=generator, version=version, arguments=asdict(self))


def prepare_folder(
    out_dir: Path,
    info: dict,
    read_info: Callable[[Path], dict],
    is_complete: Callable[[Path], bool],
    write: Callable[[Path], None],
    overwrite: bool = False,
    progress: Callable[[str], None] = print,
) -> bool:
    """Makes sure that ``out_dir`` holds the data that ``info`` describes.

    Args:
        info: ``description`` (of the generator), ``version`` and ``arguments``.
        read_info: the same of a folder that exists; empty if it holds something else.
        is_complete: whether a folder holds all of it.
        write: fills an empty folder.
        overwrite: replace other data of the same generator (nothing else is ever replaced).
        progress: is told what happens, one line at a time.

    Returns:
        True if it was written, False if it was there already.

    Raises:
        UserError: ``out_dir`` holds something else, or cannot be written.
    """
    out_dir = Path(os.path.abspath(out_dir))
    if is_complete(out_dir):
        progress(f'{out_dir} is complete, nothing to do')
        return False
    if out_dir.exists() and not (out_dir.is_dir() and not any(out_dir.iterdir())):
        there = read_info(out_dir)
        if there.get('description') != info['description']:
            raise UserError(
                f'{out_dir} exists and is not a synthetic data set; name another folder.'
            )
        if not overwrite:
            raise UserError(
                f'{out_dir} holds another or a damaged synthetic data set '
                f'(version {there.get("version")}, {there.get("arguments")}; wanted: '
                f'version {info["version"]}, {info["arguments"]}). Pass --overwrite to replace it, '
                'or name another folder.'
            )
    try:
        out_dir.parent.mkdir(parents=True, exist_ok=True)
        workshop = Path(tempfile.mkdtemp(prefix=f'.{out_dir.name}.partial-', dir=out_dir.parent))
        try:
            (workshop / 'new').mkdir()
            write(workshop / 'new')
            if out_dir.exists():
                os.rename(out_dir, workshop / 'old')
            os.rename(workshop / 'new', out_dir)
        finally:
            shutil.rmtree(workshop, ignore_errors=True)
    except OSError as error:
        raise UserError(f'cannot write {out_dir}: {error.strerror or error}') from error
    return True
