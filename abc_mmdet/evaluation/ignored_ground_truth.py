"""Ground truth that counts neither way, by the marks of files and by the rules of toolkits.

``iscrowd`` is what MMDetection loads, so files that were converted for it have it on all that is
ignored, say why in ``ignored_because``, and repeat a region of no class for every class.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence

import numpy as np
from pycocotools import mask

from .matching import ClassOverlaps

REASON = 'ignored_because'


def is_marked(annotation: dict, marks: Collection[str]) -> bool:
    """Whether an annotation has any of these marks."""
    return any(annotation.get(mark) for mark in marks)


def uncounted(
    annotations: Sequence[dict], marks: Collection[str], counted: Collection[str] = ()
) -> list[dict]:
    """Annotations with any of these marks count neither way, and are matched by IoU.

    Args:
        annotations: COCO's records.
        marks: fields.
        counted: reasons for which a converted file ignores what counts here.

    Examples:
        >>> uncounted([dict(id=1, ignore=1), dict(id=2, ignore=0)], ['ignore'])
        [{'id': 1, 'ignore': 1, 'iscrowd': 0, 'uncounted': 1}, {'id': 2, 'ignore': 0}]
    """
    return [
        dict(a, iscrowd=0, uncounted=int(a.get(REASON) not in counted))
        if is_marked(a, marks)
        else a
        for a in annotations
    ]


def without_classless(annotations: Sequence[dict], marks: Collection[str]) -> list[dict]:
    """Without marked boxes that stand there for several classes: regions of no class."""
    classes: defaultdict[tuple, set] = defaultdict(set)
    for a in annotations:
        if is_marked(a, marks):
            classes[_place(a)].add(a['category_id'])
    return [a for a in annotations if not is_marked(a, marks) or len(classes[_place(a)]) == 1]


def _place(annotation: dict) -> tuple:
    return annotation['image_id'], tuple(annotation['bbox'])


TINYPERSON_MARKS = ('iscrowd', 'ignore', 'uncertain')


def tinyperson_truth(annotations: Sequence[dict]) -> list[dict]:
    """TinyPerson's: what is marked as :data:`TINYPERSON_MARKS` is uncounted.

    A file converted for training may ignore logos and images that are too dense to be labelled as
    well; the toolkit takes no notice of these marks.
    """
    return uncounted(annotations, TINYPERSON_MARKS, counted=('logo', 'in_dense_image'))


class ExcusedInRegions(ClassOverlaps):
    """A detection that finds nothing is no mistake if its share in ignored ground truth is large.

    The share is the intersection over the detection's area (the toolkit's ``use_iod_for_ignore``),
    and has to reach the IoU threshold. Ignored is also what is of another size than evaluated.
    TinyPerson's rule (Yu et al., WACV 2020).
    """

    def excused(self, counts: np.ndarray) -> np.ndarray:
        excused = super().excused(counts)
        sides = self.detections, self.ground_truth
        for image in np.intersect1d(self.detections.image, self.ground_truth.image):
            mine, theirs = (
                slice(*np.searchsorted(boxes.image, [image, image + 1])) for boxes in sides
            )
            regions = self.ground_truth.box[theirs][~counts[theirs]]
            if len(regions):
                boxes = self.detections.box[mine]
                share = mask.iou(boxes, regions, np.ones(len(regions), np.uint8)).max(axis=1)
                excused[:, mine] = share >= self.least[:, None]
        return excused
