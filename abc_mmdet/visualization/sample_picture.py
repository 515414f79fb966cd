"""One labelled step of a recording as a picture."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from mmdet.structures import DetDataSample

from .event_picture import draw_boxes, draw_events

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
        upscale: pixels of the picture per pixel of the representation.
        is_labelled: False makes it say that there is no ground truth for this step.

    Returns:
        uint8 ``(H * upscale + 18, W * upscale, 3)``, blue, green, red.
    """
    picture = draw_events(representation, upscale)
    truth = sample.gt_instances.cpu()
    captions = [names[label] for label in truth.labels.tolist()]
    draw_boxes(picture, truth.bboxes.numpy() * upscale, captions, _GROUND_TRUTH)
    if 'pred_instances' in sample:
        found = sample.pred_instances.cpu()
        found = found[found.scores >= score_thr]
        captions = [
            f'{names[label]} {score:.2f}'
            for label, score in zip(found.labels.tolist(), found.scores.tolist(), strict=True)
        ]
        scale = np.array([*sample.scale_factor] * 2) * upscale
        draw_boxes(picture, found.bboxes.numpy() * scale, captions, _DETECTION, captions_below=True)
    text = f'{sample.recording}  {sample.timestamp_us / 1e6:.2f} s'
    return with_caption(picture, text if is_labelled else f'{text}  (not labelled)')


def with_caption(picture: np.ndarray, text: str) -> np.ndarray:
    """The picture with a line of text below it."""
    band = np.full((18, picture.shape[1], 3), 255, np.uint8)
    cv2.putText(band, text, (4, 13), cv2.FONT_HERSHEY_SIMPLEX, 0.4, _TEXT, 1, cv2.LINE_AA)
    return np.concatenate([picture, band])
