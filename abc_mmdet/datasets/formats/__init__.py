"""Data sets in the formats that people have, read into records and written as COCO files."""

from __future__ import annotations

from pathlib import Path

from abc_mmdet.errors import UserError

from .base import Box, DataSet, Format, ImageRecord, Options, summary
from .coco import Coco, as_coco, write_splits
from .coco_data_sets import AiTod, SodaD, TinyPerson
from .folder import Folder
from .labelme import LabelMe
from .pascal_voc import PascalVoc
from .soda_a import SodaA
from .visdrone import VisDrone
from .yolo import Yolo

FORMATS: dict[str, Format] = {
    reader.name: reader
    for reader in (
        Yolo(),
        PascalVoc(),
        VisDrone(),
        SodaD(),
        SodaA(),
        AiTod(),
        TinyPerson(),
        LabelMe(),
        Coco(),
    )
}
"""Readers by the names that ``--format`` takes."""


def read_folder(
    path: str | Path, name: str | None = None, options: Options | None = None
) -> DataSet:
    """Read a data set in any of :data:`FORMATS`.

    Args:
        path: of its folder, or of its ``data.yaml``.
        name: of the format; None to find out.
        options: what the folder does not say.

    Raises:
        UserError: no folder, none or several of the formats, or mistakes in it, all in one message.

    Examples:
        >>> read_folder('data/VisDrone').classes[0]  # doctest: +SKIP
        'pedestrian'
    """
    is_settings = Path(path).is_file() and Path(path).suffix in ('.yaml', '.yml')
    folder = Folder(Path(path).parent if is_settings else path)
    reader = FORMATS[name] if name is not None else find_format(folder)
    if name is not None and not reader.evidence(folder):
        raise UserError(
            f'{folder.root} has nothing of the format {reader.title}, which is {reader.layout}.'
        )
    folder.problems.stop(reader.title)
    data = reader.read(folder, options or Options())
    folder.problems.stop(reader.title)
    data.splits = {split: images for split, images in data.splits.items() if images}
    if not data.splits:
        raise UserError(f'{folder.root} has no image with an annotation in {reader.title}.')
    return data


def find_format(folder: Folder) -> Format:
    """The one format that a folder is of.

    Raises:
        UserError: none, or several.
    """
    found = {name: why for name, reader in FORMATS.items() if (why := reader.evidence(folder))}
    own = [name for name in found if name != Coco.name and isinstance(FORMATS[name], Coco)]
    if own:  # they are COCO's, too
        found.pop(Coco.name, None)
    if len(found) == 1:
        return FORMATS[next(iter(found))]
    if not found:
        known = '\n'.join(f'  {name:12}{reader.layout}' for name, reader in FORMATS.items())
        seen = ', '.join(folder.short(file) for file in folder.files[:5]) or 'nothing'
        raise UserError(
            f'{folder.root} is of no format that is known here (it has {seen}). Known are:\n'
            f'{known}\nGive the folder that has both images and annotations.'
        )
    listed = '\n'.join(f'  {name:12}{why}' for name, why in found.items())
    raise UserError(
        f'{folder.root} has annotations in several formats:\n{listed}\nSay which one is meant '
        '(--format NAME), or give a folder with one of them.'
    )


__all__ = [
    'FORMATS',
    'AiTod',
    'Box',
    'Coco',
    'DataSet',
    'Format',
    'ImageRecord',
    'LabelMe',
    'Options',
    'PascalVoc',
    'SodaA',
    'SodaD',
    'TinyPerson',
    'VisDrone',
    'Yolo',
    'as_coco',
    'find_format',
    'read_folder',
    'summary',
    'write_splits',
]
