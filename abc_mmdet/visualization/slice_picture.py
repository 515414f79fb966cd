"""Where an image is cut, and what was found in it."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from mmengine.structures import InstanceData

from .event_picture import draw_boxes

_SLICE, _DETECTION = (255, 200, 0), (0, 120, 255)


def draw_slices(
    image: np.ndarray,
    slices: Sequence[Sequence[float]],
    found: InstanceData,
    names: Sequence[str],
    score_thr: float = 0.3,
) -> np.ndarray:
    """The image with its slices (blue) and the merged detections (orange).

    Args:
        image: uint8 ``(H, W, 3)``, blue, green, red; left as it is.
        slices: ``x1, y1, x2, y2`` each, in pixels of the image.
        found: ``bboxes``, ``scores`` and ``labels``, in the same frame.
        names: of the classes.
        score_thr: detections below are left out.
    """
    picture = image.copy()
    for part in slices:
        x1, y1, x2, y2 = (round(side) for side in part)
        cv2.rectangle(picture, (x1, y1), (x2 - 1, y2 - 1), _SLICE, 1)
    found = found[found.scores >= score_thr].cpu()
    captions = [names[label] for label in found.labels.tolist()]
    draw_boxes(picture, found.bboxes.numpy(), captions, _DETECTION)
    return picture
