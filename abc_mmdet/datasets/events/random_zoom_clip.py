"""RVT's zoom augmentation of clips."""

from __future__ import annotations

import numpy as np
from mmcv.transforms import BaseTransform

from mmdet.registry import TRANSFORMS

_PER_BOX = ('bboxes', 'gt_bboxes', 'labels', 'still')


@TRANSFORMS.register_module()
class RandomZoomClip(BaseTransform):
    """Magnifies a part of a clip, or shrinks the whole of it into a part of the frame.

    As RVT does (Gehrig and Scaramuzza, 2023): clips on their own are mostly magnified, to a part
    that has the whole of one object of their last labelled step in it; streams, which do not know
    what is to come, are only shrunk, all clips of one pass alike. Counts are resampled by nearest
    neighbour.

    Args:
        prob: how often clips on their own change.
        stream_prob: how often streams change.
        zoom_in: range of the factor by which a part is magnified; less for an object that would
            not fit in.
        zoom_out: range of the factor by which the whole is shrunk.
        zoom_in_share: how many of the changed clips are magnified.
    """

    def __init__(
        self,
        prob: float = 0.8,
        stream_prob: float = 0.5,
        zoom_in: tuple[float, float] = (1.0, 1.5),
        zoom_out: tuple[float, float] = (1.0, 1.2),
        zoom_in_share: float = 0.8,
    ) -> None:
        self.prob, self.stream_prob = prob, stream_prob
        self.zoom_in, self.zoom_out = zoom_in, zoom_out
        self.zoom_in_share = zoom_in_share

    def transform(self, results: dict) -> dict:
        # a stream of its own, so that it does not depend on what RandomFlipClip drew
        rng = np.random.default_rng((results['seed'], 1))
        if rng.random() >= (self.stream_prob if results['streamed'] else self.prob):
            return results
        magnify = rng.random() < self.zoom_in_share
        boxes = results['frames'][-1]['gt_bboxes'] if results['frames'] else ()
        if results['streamed'] or not magnify:
            self._shrink(results, rng)
        elif len(boxes):
            self._magnify(results, boxes[rng.integers(len(boxes))], rng)
        return results

    def _shrink(self, results: dict, rng: np.random.Generator) -> None:
        events = results['events']
        size = np.array(events.shape[:-3:-1])  # width, height
        window = (size / rng.uniform(*self.zoom_out)).astype(int)
        x, y = rng.integers(size - window + 1)
        canvas = np.zeros_like(events)
        canvas[..., y : y + window[1], x : x + window[0]] = resample(events, window)
        results['events'] = canvas
        for frame in results['frames']:
            scale = window / size
            frame['gt_bboxes'] = (frame['gt_bboxes'] * [*scale, *scale] + [x, y, x, y]).astype('f4')

    def _magnify(self, results: dict, box: np.ndarray, rng: np.random.Generator) -> None:
        events = results['events']
        size = np.array(events.shape[:-3:-1])
        first = np.floor(np.clip(box[:2], 0, size - 1)).astype(int)
        behind = np.maximum(np.ceil(np.clip(box[2:], 0, size)).astype(int), first + 1)
        # not so far that the object no longer fits
        factor = min(rng.uniform(*self.zoom_in), *(size / (behind - first)))
        window = np.maximum((size / factor).astype(int), behind - first)
        low, high = np.maximum(behind - window, 0), np.minimum(first, size - window)
        x, y = rng.integers(low, high + 1)
        part = events[..., y : y + window[1], x : x + window[0]]
        results['events'] = resample(part, size)
        scale = np.tile(size / window, 2)
        for frame in results['frames']:
            moved = (frame['gt_bboxes'] - [x, y, x, y]) * scale
            clipped = np.clip(moved, 0, np.tile(size, 2))
            frame['gt_bboxes'] = clipped.astype('f4')
            seen = (clipped[:, 2:] - clipped[:, :2] >= 1).all(axis=1)
            frame.update({key: frame[key][seen] for key in _PER_BOX})


def resample(events: np.ndarray, size: np.ndarray) -> np.ndarray:
    """``(..., H, W)`` resized to ``size`` (width, height): each pixel takes its nearest source."""
    columns, rows = (
        ((np.arange(new) + 0.5) * (old / new)).astype(int)
        for new, old in zip(size, events.shape[:-3:-1], strict=True)
    )
    return events[..., rows[:, None], columns]
