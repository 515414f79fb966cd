"""TinyPerson's rule for what lies in an ignored region (Yu et al., WACV 2020)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from pycocotools import mask

from .marks import uncounted
from .matching import ClassOverlaps

MARKS = ('iscrowd', 'ignore', 'uncertain')


def tinyperson_truth(annotations: Sequence[dict]) -> list[dict]:
    """Ground truth with what is marked as :data:`MARKS` uncounted.

    A file converted for training may ignore logos and images that are too dense to be labelled as
    well; the toolkit takes no notice of these marks.
    """
    return uncounted(annotations, MARKS, counted=('logo', 'in_dense_image'))


class ExcusedInRegions(ClassOverlaps):
    """A detection that finds nothing is no mistake if its share in ignored ground truth is large.

    The share is the intersection over the detection's area (the toolkit's ``use_iod_for_ignore``),
    and has to reach the IoU threshold. Ignored is also what is of another size than evaluated.
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
