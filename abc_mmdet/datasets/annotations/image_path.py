"""Where the file names of an annotation file lead."""

from __future__ import annotations

import os
from pathlib import PurePath

from abc_mmdet.errors import UserError


def leaves(folder: str, name: str) -> bool:
    """Whether a file name of an annotation file leads out of the folder of its images.

    Such are paths with ``..``, addresses, and absolute paths that do not begin with the folder.
    Names are looked at, not the disk: a link that lies in the folder was put there by its owner,
    and its target may be anywhere.

    Args:
        folder: of the images; empty for the working directory.
        name: ``file_name`` of an image.
    """
    if '://' in name or '\0' in name or '..' in PurePath(name).parts:
        return True
    if not os.path.isabs(name):
        return False
    base = os.path.abspath(folder or '.')
    return '://' in folder or os.path.commonpath([base, os.path.normpath(name)]) != base


def image_path(folder: str, name: str, ann_file: str) -> str:
    """Path of an image.

    Raises:
        UserError: the name leads out of the folder.
    """
    if leaves(folder, name):
        raise UserError(
            f'{ann_file}: file_name {name!r} leads out of the image folder {folder or "."}, so it '
            f'was not opened. {HOW_TO_STAY}'
        )
    return os.path.join(folder, name)


HOW_TO_STAY = (
    'If these are your images, name a folder above all of them (data_prefix.img, for new_config.py '
    '--images), relative to which the names have no "..".'
)
