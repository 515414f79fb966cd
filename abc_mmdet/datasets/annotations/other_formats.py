"""Annotations in formats that are not COCO's."""

from __future__ import annotations

import os
import re
from pathlib import Path

from abc_mmdet.errors import UserError

_YOLO_LINE = re.compile(r'\s*\d+(\s+[-+.\deE]+){4,}\s*$')

_STARTS = (
    (b'\xef\xbb\xbf', 'begins with a byte order mark (BOM): save it as UTF-8 without one'),
    (b'\xff\xfe', 'is in UTF-16: save it as UTF-8'),
    (b'\xfe\xff', 'is in UTF-16: save it as UTF-8'),
    (b'\x1f\x8b', 'is packed: unpack it with gunzip'),
    (b'PK\x03\x04', 'is a ZIP archive: unpack it'),
)
"""How files begin that hold JSON in a form that MMDetection does not read."""


def check_format(path: str | Path) -> None:
    """Say how to go on with annotations in another well-known format; nothing for unknown ones.

    Raises:
        UserError: YOLO's text files (or their data.yaml) or Pascal VOC's XML, or a folder of them;
            a file in another encoding, or packed.
    """
    path = Path(path)
    if path.is_file():
        with path.open('rb') as file:
            start = file.read(4)
        for mark, problem in _STARTS:
            if start.startswith(mark):
                raise UserError(f'{path} {problem}.')
    first = _first_file(path) if path.is_dir() else path
    kind = None if first is None else _kind(first)
    if kind:
        raise UserError(
            f'{path} is in the format of {kind}; a COCO file is wanted. Give new_config.py the '
            'folder of images and annotations, which it converts:\n'
            '  python tools/new_config.py FOLDER\n'
            'or convert it by itself:\n'
            '  python tools/dataset_converters/to_coco.py FOLDER OUT_DIR'
        )
    if path.is_dir():
        raise UserError(f'{path} is a folder; give an annotation file in COCO format.')


def _first_file(folder: Path) -> Path | None:
    endings = ('.xml', '.txt', '.yaml', '.yml')
    # Lists of classes lie beside the labels
    names = (n for n in sorted(os.listdir(folder)) if n not in ('classes.txt', 'obj.names'))
    return next((folder / name for name in names if name.lower().endswith(endings)), None)


def _kind(path: Path) -> str | None:
    try:
        with path.open(encoding='utf-8', errors='replace') as file:
            start = file.read(4096)
    except OSError:
        return None
    lines = [line for line in start.splitlines() if line.strip()]
    if path.suffix.lower() == '.xml' or '<annotation' in start:
        return 'Pascal VOC (XML)'
    is_list = path.suffix.lower() == '.txt' and lines and '.' in lines[0] and '/' in lines[0]
    is_yaml = path.suffix.lower() in ('.yaml', '.yml') and 'names' in start
    if is_yaml or is_list or (lines and _YOLO_LINE.match(lines[0])):
        return 'YOLO (text files)'
    return None
