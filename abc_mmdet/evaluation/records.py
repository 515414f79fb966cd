"""COCO's records of the images that were evaluated, each of them once."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from pathlib import PurePosixPath
from typing import Any

import numpy as np

from abc_mmdet.errors import UserError


def image_key(truth: dict) -> Hashable:
    """What tells an image from all others, also where several data sets number theirs from 0."""
    return truth.get('img_path'), truth['img_id']


def image_ids(truths: Sequence[dict]) -> list:
    """An id for each image: its own, or its place where ids are given more than once."""
    own = [truth['img_id'] for truth in truths]
    return own if len(set(own)) == len(own) else list(range(len(own)))


def check_unique(truths: Iterable[dict], what: str) -> None:
    """Refuse images that share an id.

    Args:
        truths: ``img_id`` and ``img_path`` of each image, no image twice.
        what: cannot do with them, for the message.

    Raises:
        UserError: two images of one id.
    """
    seen: dict[Any, dict] = {}
    for truth in truths:
        other = seen.setdefault(truth['img_id'], truth)
        if other is not truth:
            raise UserError(
                f'Two images have the id {truth["img_id"]!r}: {other.get("img_path")} and '
                f'{truth.get("img_path")}. {what}'
            )


def of_file(coco: Any, truths: Sequence[dict], ann_file: str) -> tuple[list[dict], list[dict]]:
    """COCO images and annotations of just these images.

    Images of the file that were not evaluated (``indices`` of a data set, a subset) are left out:
    their objects were not missed, nobody looked for them.

    Args:
        coco: COCO API of the file.
        truths: ``img_id`` and, where known, ``img_path`` of each evaluated image.
        ann_file: its path, for messages.

    Raises:
        UserError: the file is not that of the evaluated images.
    """
    remedy = (
        'Leave out ann_file: the ground truth then comes from the evaluated data set itself, also '
        'from several in a ConcatDataset.'
    )
    check_unique(truths, f'{ann_file}, the ann_file of the evaluator, cannot tell them. {remedy}')
    images = {image['id']: image for image in coco.dataset['images']}
    for truth in truths:
        image, path = images.get(truth['img_id']), truth.get('img_path')
        if image is None:
            raise UserError(
                f'{ann_file}, the ann_file of the evaluator, has no image {truth["img_id"]!r} '
                f'({path}), which was evaluated. {remedy}'
            )
        check_name(image, path, ann_file, remedy)
    evaluated = {truth['img_id'] for truth in truths}
    return (
        [image for image in images.values() if image['id'] in evaluated],
        [a for a in coco.dataset.get('annotations', []) if a['image_id'] in evaluated],
    )


def check_name(image: dict, path: str | None, ann_file: str, remedy: str) -> None:
    """Refuse an image whose file name is another one in the annotation file.

    Raises:
        UserError: that is so.
    """
    name = image.get('file_name')
    if not name or not path or _may_be_same(name, path):
        return
    raise UserError(
        f'Image {image["id"]!r} is {name} in {ann_file}, the ann_file of the evaluator, but {path} '
        f'in the evaluated data set: they are not of the same images. {remedy}'
    )


def _may_be_same(name: str, path: str) -> bool:
    """Whether one of them is the end of the other; sequences number their frames alike."""
    first, second = (PurePosixPath(str(p).replace('\\', '/')) for p in (name, path))
    if first.is_absolute() or '://' in str(name):  # data may have been moved since
        return first.name == second.name
    length = min(len(first.parts), len(second.parts))
    return first.parts[-length:] == second.parts[-length:]


def of_samples(
    truths: Iterable[dict], ids: Iterable, fields: Sequence[str]
) -> tuple[list[dict], list[dict]]:
    """COCO images and annotations of ground truth as samples have it.

    Args:
        truths: ``width``, ``height``, ``timestamp_us`` and ``anns`` of each image; these with
            ``bbox`` (xyxy), ``bbox_label`` and ``ignore_flag``. Categories are labels.
        ids: of the images.
        fields: of ``anns`` that are kept where they are given, beside those of COCO.
    """
    images, annotations = [], []
    for image_id, truth in zip(ids, truths, strict=True):
        size = dict(width=truth['width'], height=truth['height'])
        images.append(dict(id=image_id, timestamp_us=truth['timestamp_us'], **size))
        for instance in truth['anns']:
            x1, y1, x2, y2 = instance['bbox']
            annotations.append(
                dict(
                    {key: instance[key] for key in fields if key in instance},
                    image_id=image_id,
                    category_id=instance['bbox_label'],
                    bbox=[x1, y1, x2 - x1, y2 - y1],
                    area=(x2 - x1) * (y2 - y1),
                    iscrowd=instance.get('ignore_flag', 0),
                )
            )
    return images, annotations


def of_detections(results: Sequence[tuple[dict, dict]], category_ids: Sequence[int]) -> list[dict]:
    """COCO results of what was detected.

    Args:
        results: ground truth and detections of each image, these with ``bboxes`` (xyxy),
            ``labels`` and ``scores``.
        category_ids: of each label.
    """
    ids = image_ids([truth for truth, _ in results])
    return [
        dict(
            image_id=image_id,
            category_id=category_ids[label],
            bbox=[x1, y1, x2 - x1, y2 - y1],
            score=score,
        )
        for image_id, (_, found) in zip(ids, results, strict=True)
        for (x1, y1, x2, y2), label, score in zip(
            *(np.asarray(found[key]).tolist() for key in ('bboxes', 'labels', 'scores')),
            strict=True,
        )
    ]
