"""Sequences of detections whose objects are known, and how well tracks keep to them."""

from collections import Counter
from collections.abc import Sequence

import numpy as np
from scipy.optimize import linear_sum_assignment

from abc_mmdet.inference import Detections

SIDE = 8.0


def boxes_at(centres: np.ndarray) -> np.ndarray:
    return np.concatenate([centres - SIDE / 2, centres + SIDE / 2], axis=1).astype(np.float32)


def detections(centres: np.ndarray, score: float | np.ndarray = 0.9) -> Detections:
    """One image with objects of 8 x 8 pixels."""
    number = len(centres)
    return Detections(
        boxes=boxes_at(centres),
        scores=np.broadcast_to(np.float32(score), number).copy(),
        labels=np.zeros(number, np.int64),
        classes=('car',),
        size=(640, 480),
        source=np.zeros((480, 640, 3), np.uint8),
    )


def driving(speeds: Sequence[float], images: int) -> list[np.ndarray]:
    """Centres ``(N, 2)`` per image of objects in lanes of their own; speeds in their sizes."""
    start = np.array([[60.0, 40.0 * (lane + 1)] for lane in range(len(speeds))])
    step = np.array([[speed * SIDE, 0.0] for speed in speeds])
    return [start + number * step for number in range(images)]


def objects_of(found: Detections, centres: np.ndarray) -> list[int]:
    """The object that each detection is of."""
    middle = (found.boxes[:, :2] + found.boxes[:, 2:]) / 2
    return np.abs(middle[:, None] - centres[None]).sum(-1).argmin(1).tolist()


def mota_and_idf1(images: list[list[tuple[int, int]]]) -> tuple[float, float]:
    """Where every object is detected and nothing else: per image pairs of object and track.

    MOTA (Bernardin and Stiefelhagen, 2008) is 1 minus the share of changes of identity; IDF1
    (Ristani et al., 2016) the share of boxes that the best pairing of tracks and objects explains.
    """
    last: dict[int, int] = {}
    changes, total, together = 0, 0, Counter[tuple[int, int]]()
    for pairs in images:
        for thing, track in pairs:
            changes += last.get(thing, track) != track
            last[thing] = track
            together[thing, track] += 1
            total += 1
    things, tracks = (sorted({key[i] for key in together}) for i in (0, 1))
    counts = np.array([[together[thing, track] for track in tracks] for thing in things])
    best = counts[linear_sum_assignment(-counts)].sum()
    return 1 - changes / total, float(best / total)
