"""Event representations as images, alone and with the labels of a step."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mmdet.structures import DetDataSample

from .boxes import draw_boxes
from .labels import readable_names, text_line

_SATURATED = 4  # events per pixel that give the full colour
_POSITIVE, _NEGATIVE = np.array((40, 40, 225)), np.array((220, 110, 30))  # blue, green, red


def draw_events(representation: np.ndarray, upscale: int = 1) -> np.ndarray:
    """A stacked histogram as an image: brighter turned red, darker turned blue, on white.

    Args:
        representation: ``(2 * bins, H, W)`` counts, negative polarity first.
        upscale: pixels of the image per pixel of the representation, each way.

    Returns:
        uint8 ``(H * upscale, W * upscale, 3)``, blue, green, red.
    """
    channels, height, width = representation.shape
    counts = representation.reshape(2, channels // 2, height, width).sum(axis=1, dtype=np.int64)
    strength = np.minimum(counts.sum(axis=0) / _SATURATED, 1.0)[..., None]
    share = counts[1] / np.maximum(counts.sum(axis=0), 1)
    colour = _NEGATIVE + share[..., None] * (_POSITIVE - _NEGATIVE)
    image = (255 + strength * (colour - 255)).astype(np.uint8)
    return image.repeat(upscale, axis=0).repeat(upscale, axis=1)


_GROUND_TRUTH, _DETECTION, _TEXT = (0, 140, 0), (0, 120, 255), (60, 60, 60)


def draw_sample(
    representation: np.ndarray,
    sample: DetDataSample,
    names: Sequence[str],
    score_thr: float = 0.3,
    upscale: int = 1,
    is_labelled: bool = True,
) -> np.ndarray:
    """Events with ground truth (green), detections if there are any (orange), and the time.

    Args:
        representation: ``(2 * bins, H, W)`` counts.
        sample: ``gt_instances`` in pixels of the representation, ``pred_instances`` in those of
            the sensor, as an :class:`EventSequenceDataset` and a detector leave them.
        names: of the classes.
        score_thr: detections below are left out.
        upscale: pixels of the image per pixel of the representation.
        is_labelled: False makes it say that there is no ground truth for this step.

    Returns:
        uint8 ``(H * upscale + 18, W * upscale, 3)``, blue, green, red.
    """
    image = draw_events(representation, upscale)
    names = readable_names(names)
    ground_truth = sample.gt_instances.cpu()
    boxes = [ground_truth.bboxes.numpy() * upscale]
    captions = [names[label] for label in ground_truth.labels.tolist()]
    colours = [_GROUND_TRUTH] * len(captions)
    if 'pred_instances' in sample:
        detections = sample.pred_instances.cpu()
        detections = detections[detections.scores >= score_thr]
        captions += [
            f'{names[label]} {score:.2f}'
            for label, score in zip(
                detections.labels.tolist(), detections.scores.tolist(), strict=True
            )
        ]
        colours += [_DETECTION] * len(detections)
        boxes.append(detections.bboxes.numpy() * np.array([*sample.scale_factor] * 2) * upscale)
    is_detection = [colour == _DETECTION for colour in colours]
    draw_boxes(image, np.concatenate(boxes), captions, colours, captions_below=is_detection)
    text = f'{sample.recording}  {sample.timestamp_us / 1e6:.2f} s'
    return with_caption(image, text if is_labelled else f'{text}  (not labelled)')


def with_caption(image: np.ndarray, text: str) -> np.ndarray:
    """The image with a line of text below it."""
    band = np.full((18, image.shape[1], 3), 255, np.uint8)
    line = text_line(text, 12, _TEXT)[:18, : image.shape[1] - 4]
    band[1 : 1 + len(line), 4 : 4 + line.shape[1]] = line
    return np.concatenate([image, band])
