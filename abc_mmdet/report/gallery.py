"""Mistakes of a detector, and what it found, as small places of images shown large."""

from __future__ import annotations

import base64
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, zip_longest

import cv2
import numpy as np

from abc_mmdet.evaluation.error_kinds import box_ious
from abc_mmdet.evaluation.matching import AREAS, counts

from .evaluated import Evaluated

LEAST_SIDE = 48
"""Pixels of the image that a crop shows at least, so that one sees where the object is."""

CONTEXT = 3.0
"""Side of a crop over the longer side of its box."""

MOST_PIXELS = 320
"""Side of the embedded image; larger crops are shrunk."""

_LOSSLESS_UP_TO = 128  # pixels; in a crop this small one would see the blocks of JPEG


@dataclass(frozen=True)
class Rectangle:
    """A box in a crop, in shares of its side. ``kind``: ``ground_truth`` or ``detection``.

    Examples:
        >>> Rectangle(0.25, 0.25, 0.5, 0.5, 'detection', is_target=True).width
        0.5
    """

    x: float
    y: float
    width: float
    height: float
    kind: str
    is_target: bool


@dataclass(frozen=True)
class Crop:
    """A square of an image as a data URI, with the boxes in it.

    Examples:
        >>> box = [40, 40, 10, 10]
        >>> crop(np.zeros((100, 100, 3), np.uint8), box, [box], [], True).rectangles[0].is_target
        True
    """

    uri: str
    rectangles: list[Rectangle]


def crop(
    image: np.ndarray,
    box: Sequence[float],
    ground_truth: Sequence[Sequence[float]],
    detections: Sequence[Sequence[float]],
    is_ground_truth: bool,
) -> Crop:
    """A square around a box, moved into the image where it would reach beyond it.

    Args:
        image: ``(H, W, 3)``.
        box: x, y, w, h of what is to be seen; marked as the target.
        ground_truth, detections: all boxes of either in the image, the target among one of them.
        is_ground_truth: whether the target is of the ground truth.
    """
    height, width = image.shape[:2]
    side = round(max(LEAST_SIDE, CONTEXT * max(box[2], box[3])))
    side = max(1, min(side, height, width))
    left = _start(box[0] + box[2] / 2, side, width)
    top = _start(box[1] + box[3] / 2, side, height)
    rectangles = []
    for kind, boxes in (('ground_truth', ground_truth), ('detection', detections)):
        for other in boxes:
            x, y, w, h = other
            if left < x + w and x < left + side and top < y + h and y < top + side:
                is_target = (kind == 'ground_truth') == is_ground_truth and list(other) == list(box)
                corner = ((x - left) / side, (y - top) / side)
                rectangles.append(Rectangle(*corner, w / side, h / side, kind, is_target))
    rectangles.sort(key=lambda r: r.is_target)  # drawn last, above the others
    return Crop(_data_uri(image[top : top + side, left : left + side]), rectangles)


def _start(centre: float, side: int, length: int) -> int:
    return int(np.clip(round(centre - side / 2), 0, length - side))


def _data_uri(pixels: np.ndarray) -> str:
    side = len(pixels)
    if side > MOST_PIXELS:
        pixels = cv2.resize(pixels, (MOST_PIXELS, MOST_PIXELS), interpolation=cv2.INTER_AREA)
    if side <= _LOSSLESS_UP_TO:
        kind, (_, content) = 'png', cv2.imencode('.png', pixels, [cv2.IMWRITE_PNG_COMPRESSION, 9])
    else:
        kind, (_, content) = 'jpeg', cv2.imencode('.jpg', pixels, [cv2.IMWRITE_JPEG_QUALITY, 85])
    return f'data:image/{kind};base64,' + base64.b64encode(content.tobytes()).decode()


PER_IMAGE = 2
"""Examples shown of one image, so that one image does not fill the gallery."""

SMALL = AREAS['s'][1]
"""Area in square pixels below which COCO calls an object small."""


@dataclass(frozen=True)
class Example:
    """A false negative, a false positive or a small object that was found.

    Args:
        box: x, y, w, h in pixels of the image.
        class_name: of the object or the detection.
        image: record of the image.
        verdict: what went wrong or how well it was found, in a few words.
        crop: the place, magnified.

    Examples:
        >>> worst_false_positives(result, 12)[0].verdict  # doctest: +SKIP
    """

    box: list[float]
    class_name: str
    image: dict
    verdict: str
    crop: Crop

    @property
    def size(self) -> str:
        """Width and height of the box."""
        return f'{self.box[2]:.0f} × {self.box[3]:.0f} px'

    @property
    def file_name(self) -> str:
        """Name of the image without its folder."""
        return str(self.image['file_name']).rsplit('/', 1)[-1]


def worst_false_negatives(result: Evaluated, count: int) -> list[Example]:
    """Objects that were not found as what they are, all classes in turn, the small ones first.

    Within a class those come first that got no detection at any score, and of these the largest:
    they are the hardest to excuse.
    """
    best_score: dict[int, float] = {}
    for d, t in enumerate(result.matches.ground_truth.tolist()):
        if t >= 0:
            best_score[t] = float(result.matches.scores[d])
    test, errors = result.test_set, result.errors
    labels = test.labels
    by_class = defaultdict(list)
    for t in errors.false_negatives:
        by_class[int(labels[t])].append(t)
    for group in by_class.values():
        group.sort(key=lambda t: (best_score.get(t, 0.0), -test.annotations[t]['area'], t))
    chosen = _few_per_image(_in_turn(by_class, test.small), test.annotations, count)
    examples = []
    for t in chosen:
        if t in errors.taken_for:
            d = errors.taken_for[t]
            name = test.classes[result.matches.labels[d]]
            verdict = f'taken for {name}, {result.matches.scores[d]:.2f}'
        elif t in best_score:
            verdict = f'found with {best_score[t]:.2f} only'
        else:
            verdict = 'not found at any score'
        examples.append(_example(result, test.annotations[t], int(labels[t]), verdict))
    return examples


def worst_false_positives(result: Evaluated, count: int) -> list[Example]:
    """Detections that found nothing, the surest first."""
    scores = result.matches.scores
    surest = sorted(result.errors.false_positives, key=lambda d: (-scores[d], d))
    return [
        _example(
            result,
            result.detections[d],
            int(result.matches.labels[d]),
            f'{scores[d]:.2f}, {result.errors.false_positives[d]}',
        )
        for d in _few_per_image(surest, result.detections, count)
    ]


def smallest_hits(result: Evaluated, count: int) -> list[Example]:
    """Small objects that were found as what they are, all classes in turn, the smallest first.

    Args:
        result: of the detections.
        count: objects at most.
    """
    test = result.test_set
    targets = result.matches.ground_truth
    hits = {int(targets[d]): d for d in result.errors.kept if targets[d] >= 0}
    by_class = defaultdict(list)
    for t in hits:
        if test.annotations[t]['area'] < SMALL:
            by_class[int(test.labels[t])].append(t)
    for group in by_class.values():
        group.sort(key=lambda t: (test.annotations[t]['area'], t))
    examples = []
    for t in _few_per_image(_in_turn(by_class, test.small), test.annotations, count):
        d = hits[t]
        iou = float(box_ious([result.detections[d]], [test.annotations[t]])[0, 0])
        verdict = f'{result.matches.scores[d]:.2f}, IoU {iou:.2f}'
        examples.append(_example(result, test.annotations[t], int(test.labels[t]), verdict))
    return examples


def _in_turn(by_class: Mapping[int, list[int]], small: Sequence[int]) -> Iterator[int]:
    """The first of every class, then the second, ...; small classes before the others."""
    in_order = sorted(by_class, key=lambda label: (label not in small, label))
    turns = chain.from_iterable(zip_longest(*(by_class[label] for label in in_order)))
    return (place for place in turns if place is not None)


def _few_per_image(places: Iterable[int], boxes: list[dict], count: int) -> list[int]:
    shown: Counter = Counter()
    chosen: list[int] = []
    for place in places:
        image = boxes[place]['image_id']
        if len(chosen) < count and shown[image] < PER_IMAGE:
            shown[image] += 1
            chosen.append(place)
    return chosen


def _example(result: Evaluated, target: dict, label: int, verdict: str) -> Example:
    test = result.test_set
    image = test.images[target['image_id']]
    here = [d for d in result.errors.kept if result.detections[d]['image_id'] == image['id']]
    detections = [result.detections[d]['bbox'] for d in here]
    ground_truth = [
        a['bbox'] for a in test.annotations if a['image_id'] == image['id'] and counts(a)
    ]
    place = crop(
        test.image(image),
        target['bbox'],
        ground_truth,
        detections,
        is_ground_truth='score' not in target,
    )
    return Example(target['bbox'], test.classes[label], image, verdict, place)
