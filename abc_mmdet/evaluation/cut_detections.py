"""Boxes cut at the border of their image, as COCO's metrics count them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def cut_to_image(boxes: np.ndarray, size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Detections as they can be true: nothing of an object is seen outside its image.

    Networks look at padded images, and say boxes that reach over the border or lie in the padding.

    Args:
        boxes: ``(N, 4)``, xyxy in pixels of the image.
        size: its width and height.

    Returns:
        The boxes cut at the border, ``(N, 4)``, and ``(N,)`` which of them have an area left.
    """
    width, height = size
    cut = boxes.clip(0, np.array([width, height, width, height], boxes.dtype))
    return cut, (cut[:, 2] > cut[:, 0]) & (cut[:, 3] > cut[:, 1])


def cut_found(found: dict, size: tuple[int, int]) -> None:
    """Cut the detections of one image, in place, and drop those wholly outside.

    Args:
        found: ``bboxes`` ``(N, 4)``, and ``scores``, ``labels``, ``mask_scores``, ``masks``.
        size: width and height of the image, pixels.
    """
    boxes, inside = cut_to_image(found['bboxes'], size)
    found.update(bboxes=boxes[inside])
    others = [k for k in ('scores', 'labels', 'mask_scores') if k in found]
    found.update({key: found[key][inside] for key in others})
    if 'masks' in found:
        kept = zip(found['masks'], inside, strict=True)
        found['masks'] = [mask for mask, keep in kept if keep]


def cut_records(detections: Sequence[dict], images: Sequence[dict]) -> list[dict]:
    """The same for COCO records of any images; those inside theirs are given back as they are.

    Args:
        detections: with ``image_id`` and ``bbox`` x, y, width, height.
        images: with ``id``, ``width`` and ``height``. Detections in others stay.
    """
    sizes = {
        image['id']: (image['width'], image['height'])
        for image in images
        if 'width' in image and 'height' in image
    }
    kept = []
    for record in detections:
        if record['image_id'] in sizes:
            x, y, w, h = record['bbox']
            width, height = sizes[record['image_id']]
            if x < 0 or y < 0 or x + w > width or y + h > height:
                box = np.array([[x, y, x + w, y + h]], float)
                ((x1, y1, x2, y2),), (inside,) = cut_to_image(box, (width, height))
                if not inside:
                    continue
                record = dict(record, bbox=[float(v) for v in (x1, y1, x2 - x1, y2 - y1)])
        kept.append(record)
    return kept
