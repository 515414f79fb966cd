"""The image in which one result finds most of what another misses, drawn beside itself."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from abc_mmdet.errors import UserError
from abc_mmdet.evaluation.matching import AREAS, in_order, match
from abc_mmdet.visualization.boxes import draw_boxes
from abc_mmdet.visualization.events import with_caption

from .test_set import TestSet

IOU = 0.5
FOUND, MISSED = (80, 200, 80), (60, 60, 230)  # blue, green, red


@dataclass(frozen=True)
class Found:
    """Which ground truth a result finds.

    Args:
        name: of the result.
        places: in the list of annotations, of what is found at IoU 0.5.

    Examples:
        >>> before, after = Found('before', frozenset({0})), Found('after', frozenset({0, 3}))
        >>> sorted(after.places - before.places)
        [3]
    """

    name: str
    places: frozenset[int]


def found(test_set: TestSet, name: str, detections: Sequence[dict], score_thr: float) -> Found:
    """What a result finds with detections of at least this score, each object at most once."""
    kept = [d for d in test_set.counting(detections) if d['score'] >= score_thr]
    table = match(
        in_order(test_set.images), test_set.category_ids, test_set.annotations, kept, [IOU]
    )
    places = {
        int(i) for of_class in table['all'] for i in of_class.ground_truth[0][of_class.hit[0]]
    }
    return Found(name, frozenset(places))


def most_gained(test_set: TestSet, first: Found, second: Found, area: str) -> int | str:
    """Id of the image with the most objects of a size that only the second result finds.

    What only the first finds is taken off.

    Raises:
        UserError: the second finds no more in any image.
    """
    gained: Counter = Counter()
    for places, sign in ((second.places - first.places, 1), (first.places - second.places, -1)):
        for annotation in (test_set.annotations[i] for i in places):
            if _is_in(annotation, area):
                gained[annotation['image_id']] += sign
    best, number = max(gained.items(), key=lambda item: item[1], default=(None, 0))
    if best is None or number <= 0:
        raise UserError(
            f'In no image does {second.name} find more {area} objects than {first.name}.'
        )
    return best


def side_by_side(
    test_set: TestSet, image_id: int | str, results: Sequence[Found], crop: tuple[int, int] | None
) -> np.ndarray:
    """An image once per result: green what it finds, red what it misses.

    Args:
        test_set: of the results.
        image_id: of the image.
        results: left to right.
        crop: width and height of the part that is shown, twice as large: where the last result
            gains most. None for the whole image.

    Returns:
        uint8 ``(H, W, 3)``; blue, green, red.
    """
    pixels = test_set.image(test_set.images[image_id])
    places = [
        i
        for i, annotation in enumerate(test_set.annotations)
        if annotation['image_id'] == image_id and test_set.counted[i]
    ]
    boxes = np.array([test_set.annotations[i]['bbox'] for i in places], float).reshape(-1, 4)
    boxes[:, 2:] += boxes[:, :2]
    scale, x, y = 1, 0, 0
    if crop is not None:
        scale = 2
        gained = [i in results[-1].places - results[0].places for i in places]
        x, y = _window(boxes[gained], crop, pixels.shape)
        pixels = pixels[y : y + crop[1], x : x + crop[0]]
    pixels = cv2.resize(pixels, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC)
    drawn = []
    for result in results:
        panel = np.ascontiguousarray(pixels).copy()
        colours = [FOUND if i in result.places else MISSED for i in places]
        if places:
            draw_boxes(panel, (boxes - [x, y, x, y]) * scale, [''] * len(places), colours)
        drawn += [with_caption(panel, result.name), np.full((len(panel) + 18, 6, 3), 255, np.uint8)]
    return np.concatenate(drawn[:-1], axis=1)


def _is_in(annotation: dict, area: str) -> bool:
    low, high = AREAS[area]
    return low <= annotation['area'] < high


def _window(boxes: np.ndarray, crop: tuple[int, int], shape: tuple[int, ...]) -> tuple[int, int]:
    """Corner of the window, inside the image, that holds the most boxes."""
    corners = np.clip(
        (boxes[:, :2] + boxes[:, 2:] - crop) / 2,
        0,
        np.maximum([shape[1], shape[0]] - np.array(crop), 0),
    ).astype(int)
    if not len(corners):
        return 0, 0
    inside = [
        ((boxes[:, :2] >= corner) & (boxes[:, 2:] <= corner + np.array(crop))).all(1).sum()
        for corner in corners
    ]
    x, y = corners[int(np.argmax(inside))]
    return int(x), int(y)
