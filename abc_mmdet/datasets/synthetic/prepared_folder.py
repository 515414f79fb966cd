"""Generated data on disk: written beside its place and renamed, kept when it is there already.

Whatever lies under the name of a data set is complete.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from abc_mmdet.errors import UserError


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
        found = read_info(out_dir)
        if found.get('description') != info['description']:
            raise UserError(
                f'{out_dir} exists and is not a synthetic data set; name another folder.'
            )
        if not overwrite:
            raise UserError(
                f'{out_dir} holds another or a damaged synthetic data set '
                f'(version {found.get("version")}, {found.get("arguments")}; wanted: '
                f'version {info["version"]}, {info["arguments"]}). Pass --overwrite to replace it, '
                'or name another folder.'
            )
    try:
        _write_beside_and_rename(out_dir, write)
    except OSError as error:
        raise UserError(f'cannot write {out_dir}: {error.strerror or error}') from error
    return True


def _write_beside_and_rename(out_dir: Path, write: Callable[[Path], None]) -> None:
    out_dir.parent.mkdir(parents=True, exist_ok=True)
    workshop = Path(tempfile.mkdtemp(prefix=f'.{out_dir.name}.partial-', dir=out_dir.parent))
    try:
        new = workshop / 'new'
        new.mkdir()
        write(new)
        if out_dir.exists():
            os.rename(out_dir, workshop / 'old')
        os.rename(new, out_dir)
    finally:
        shutil.rmtree(workshop, ignore_errors=True)
