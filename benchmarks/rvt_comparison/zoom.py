"""Whether a zoom keeps the object that it is made for."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch

from abc_mmdet.datasets.events.clip_transforms import RandomZoomClip

from .row import Row

WIDTH, HEIGHT = 240, 180
Zoom = Callable[[np.ndarray, np.ndarray, int], tuple[np.ndarray, np.ndarray]]
"""Magnifies representations ``(2, HEIGHT, WIDTH)`` for a box x1, y1, x2, y2, with a seed."""


def our_zoom(events: np.ndarray, box: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """What RandomZoomClip makes of them."""
    zoom = RandomZoomClip(prob=1, zoom_in_share=1)
    frame = dict(gt_bboxes=box[None], bboxes=box[None])
    frame.update(labels=np.zeros(1, int), still=np.zeros(1, bool))
    results = zoom.transform(dict(events=events[None], frames=[frame], seed=seed, streamed=False))
    (found,) = results['frames'][0]['gt_bboxes']
    return results['events'][0], found


def rvt_zoom(augmentor: Any, labels: Any, types: Any) -> Zoom:
    """RVT's, of its modules of these names."""
    from omegaconf import OmegaConf

    factor = dict(min=1, max=1.5)
    zoom = dict(
        prob=1, zoom_in=dict(weight=1, factor=factor), zoom_out=dict(weight=0, factor=factor)
    )
    config = OmegaConf.create(dict(prob_hflip=0, rotate=dict(prob=0, max_angle_deg=0), zoom=zoom))
    augment = augmentor.RandomSpatialAugmentorGenX((HEIGHT, WIDTH), True, config)

    def magnify(events: np.ndarray, box: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
        torch.manual_seed(seed)
        row = torch.tensor([[0, *box[:2], *(box[2:] - box[:2]), 0, 1]], dtype=torch.float32)
        one = labels.ObjectLabels(row, (HEIGHT, WIDTH))
        results = augment(
            {
                types.DataType.EV_REPR: [torch.from_numpy(events)],
                types.DataType.OBJLABELS_SEQ: labels.SparselyBatchedObjectLabels([one]),
            }
        )
        x, y, w, h = results[types.DataType.OBJLABELS_SEQ][0].object_labels[0, 1:5].tolist()
        found = results[types.DataType.EV_REPR][0].numpy()
        return found, np.array([x, y, x + w, y + h])

    return magnify


def cut(zoom: Zoom, seed: int) -> float:
    """By how many pixels of the sensor the zoom has moved a border of the box to the inside.

    Every pixel of the representations holds its own place, so the part that was magnified can be
    read off its corners.
    """
    rng = np.random.default_rng(seed)
    size = np.array([WIDTH - 1, HEIGHT - 1])
    sides = size * rng.uniform(0.02, 0.6, 2)  # what the strongest zoom has room for
    corner = rng.random(2) * (size - sides)
    box = np.concatenate([corner, corner + sides]).astype('f4')
    rows, columns = np.mgrid[:HEIGHT, :WIDTH].astype('u1')
    events, found = zoom(np.stack([columns, rows]), box, seed)
    first = np.array([events[0, 0, 0], events[1, 0, 0]], int)
    last = np.array([events[0, -1, -1], events[1, -1, -1]], int)
    scale = (size + 1) / (last - first + 1)
    back = found / np.tile(scale, 2) + np.tile(first, 2)
    return float(max(*(back - box)[:2], *(box - back)[2:], 0))


def compare_zooms(theirs: Zoom, cases: int) -> Iterator[Row]:
    """Most pixels that a zoom cuts off the object it is made for: ours, and RVT's."""
    yield Row('zoom: pixels cut off its object', cases, _most(our_zoom, cases), 1.0)
    yield Row("  by RVT's own", cases, _most(theirs, cases), 3.0)


def _most(zoom: Zoom, cases: int) -> float:
    return max(cut(zoom, seed) for seed in range(cases))
