"""Mistakes of a detector, and what it found, to be looked at."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, zip_longest

from abc_mmdet.evaluation.error_kinds import box_ious
from abc_mmdet.evaluation.matching import AREAS

from .crop import Crop, crop
from .evaluated import Evaluated

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
    found = {int(targets[d]): d for d in result.errors.kept if targets[d] >= 0}
    by_class = defaultdict(list)
    for t in found:
        if test.annotations[t]['area'] < SMALL:
            by_class[int(test.labels[t])].append(t)
    for group in by_class.values():
        group.sort(key=lambda t: (test.annotations[t]['area'], t))
    examples = []
    for t in _few_per_image(_in_turn(by_class, test.small), test.annotations, count):
        d = found[t]
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
    found = [result.detections[d]['bbox'] for d in here]
    true = [
        a['bbox'] for a in test.annotations if a['image_id'] == image['id'] and not a.get('iscrowd')
    ]
    place = crop(test.image(image), target['bbox'], true, found, is_truth='score' not in target)
    return Example(target['bbox'], test.classes[label], image, verdict, place)
