"""Reads what tools/test.py found."""

from __future__ import annotations

import json
import math
from collections.abc import Collection
from pathlib import Path
from typing import Any

from abc_mmdet.errors import UserError
from abc_mmdet.evaluation.matching import in_order

from .test_set import TestSet

HOW_TO = 'tools/test.py CONFIG CHECKPOINT --out NAME.bbox.json writes such a file.'


def read_detections(path: Path, test_set: TestSet) -> list[dict]:
    """COCO results: ``image_id``, ``category_id``, ``bbox`` (x, y, w, h) and ``score`` of each.

    Args:
        path: the JSON file.
        test_set: what they are detections on.

    Returns:
        The entries; empty if nothing was detected.

    Raises:
        UserError: no such file, another format, images or categories that the data set does not
            have.
    """
    if not path.is_file():
        raise UserError(f'There are no results {path}. {HOW_TO}')
    try:
        content = json.loads(path.read_text())
    except (ValueError, RecursionError) as error:
        raise UserError(f'{path} is no JSON, or was cut off: {error}. {HOW_TO}') from None
    if not isinstance(content, list):
        raise UserError(f'{path} holds no list of detections. {HOW_TO}')
    for number, entry in enumerate(content):
        _check(entry, f'{path}, entry {number}')
    where = f'{path} holds results of another data set than {test_set.source}'
    _check_known({e['image_id'] for e in content}, test_set.known_images, 'images', where)
    _check_known({e['category_id'] for e in content}, test_set.category_ids, 'categories', where)
    return content


def _check(entry: Any, where: str) -> None:
    fields = ('image_id', 'category_id', 'bbox', 'score')
    if not isinstance(entry, dict) or not all(field in entry for field in fields):
        raise UserError(f'{where}: {str(entry)[:80]} is none of COCO results. {HOW_TO}')
    ids = entry['image_id'], entry['category_id']
    if not all(isinstance(value, (int, float, str)) for value in ids):
        raise UserError(f'{where}: image_id and category_id {ids} are no ids. {HOW_TO}')
    box = entry['bbox']
    numbers = [*box, entry['score']] if isinstance(box, list) and len(box) == 4 else [None]
    if not all(isinstance(n, (int, float)) and math.isfinite(n) for n in numbers):
        raise UserError(f'{where}: bbox {box} and score {entry["score"]} are no finite numbers.')


def _check_known(ids: set[int | str], known: Collection[int | str], what: str, where: str) -> None:
    unknown = in_order(ids - set(known))
    if unknown:
        raise UserError(
            f'{where}: {len(unknown)} of its {len(ids)} {what} are not there, the first being '
            f'id {unknown[0]!r}.\n'
            'Give the config and --cfg-options that the results were made with.'
        )
