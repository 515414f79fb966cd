"""Data sets as COCO files that MMDetection reads with what they ignore.

``CocoDataset`` gives an object ``ignore_flag=1`` where ``iscrowd`` is 1, and drops one whose
``ignore`` is true: its place is background then, and finding something there a false positive.
So whatever counts neither way is written with ``iscrowd`` 1 and without ``ignore``; the field
``ignored_because`` keeps the reason. Matching is by class, so a region that counts for no class is
written once for each.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from abc_mmdet.errors import UserError
from abc_mmdet.utils.atomic_write import partial_path

from .folder import MARK
from .records import DataSet, ImageRecord


def as_coco(images: Sequence[ImageRecord], classes: Sequence[str], root: Path) -> dict[str, Any]:
    """One split in COCO's format.

    Args:
        images: of the split.
        classes: names; their ids begin with 1.
        root: folder that file names are relative to.

    Examples:
        >>> from abc_mmdet.datasets.formats import Box
        >>> image = ImageRecord(Path('d/a.png'), (9, 9), (Box((1, 2, 3, 4), 'car', 'difficult'),))
        >>> as_coco([image], ['car'], Path('d'))['annotations']  # doctest: +NORMALIZE_WHITESPACE
        [{'id': 1, 'image_id': 1, 'category_id': 1, 'bbox': [1, 2, 3, 4], 'area': 12, 'iscrowd': 1,
          'ignored_because': 'difficult'}]
    """
    ids = {name: number for number, name in enumerate(classes, 1)}
    entries: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for number, image in enumerate(images, 1):
        width, height = image.size
        name = image.path.relative_to(root).as_posix()
        entries.append(dict(id=number, file_name=name, width=width, height=height))
        for box in image.boxes:
            x, y, w, h = box.xywh
            for category in ids.values() if box.label is None else [ids[box.label]]:
                annotation: dict[str, Any] = dict(
                    id=len(annotations) + 1,
                    image_id=number,
                    category_id=category,
                    bbox=[x, y, w, h],
                    area=w * h if box.area is None else box.area,
                    iscrowd=int(bool(box.ignored)),
                )
                if box.ignored:
                    annotation['ignored_because'] = box.ignored
                annotations.append(annotation)
    categories = [dict(id=number, name=name) for name, number in ids.items()]
    return dict(images=entries, annotations=annotations, categories=categories)


def write_splits(data: DataSet, root: Path, paths: Mapping[str, Path]) -> None:
    """Write splits of a data set, all of them or nothing.

    Args:
        data: what was read.
        root: folder that file names are relative to.
        paths: files to write, by split; earlier ones are replaced.

    Raises:
        UserError: a place that cannot be written to.
    """
    contents = {
        path: json.dumps(
            dict(
                info={**MARK, 'converted_from': data.title},
                **as_coco(data.splits[split], data.classes, root),
            )
        ).encode()
        for split, path in paths.items()
    }
    partial = {path: partial_path(path) for path in contents}
    new = [path for path in contents if not path.exists()]
    try:
        for path, content in contents.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            partial[path].write_bytes(content)
        for path in contents:
            os.replace(partial[path], path)
    except OSError as error:
        for path in new:
            with suppress(OSError):
                path.unlink()
        raise UserError(f'cannot write {error.filename}: {error.strerror or error}') from error
    finally:
        for left in partial.values():
            with suppress(OSError):
                left.unlink()
