"""Event representations and boxes as pictures."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

_SATURATED = 4  # events per pixel that give the full colour
_POSITIVE, _NEGATIVE = np.array((40, 40, 225)), np.array((220, 110, 30))  # blue, green, red
_LEGIBLE = 0.42  # OpenCV font scale


def draw_events(representation: np.ndarray, upscale: int = 1) -> np.ndarray:
    """A stacked histogram as a picture: brighter turned red, darker turned blue, on white.

    Args:
        representation: ``(2 * bins, H, W)`` counts, negative polarity first.
        upscale: pixels of the picture per pixel of the representation, each way.

    Returns:
        uint8 ``(H * upscale, W * upscale, 3)``, blue, green, red.
    """
    channels, height, width = representation.shape
    counts = representation.reshape(2, channels // 2, height, width).sum(axis=1, dtype=np.int64)
    strength = np.minimum(counts.sum(axis=0) / _SATURATED, 1.0)[..., None]
    share = counts[1] / np.maximum(counts.sum(axis=0), 1)
    colour = _NEGATIVE + share[..., None] * (_POSITIVE - _NEGATIVE)
    picture = (255 + strength * (colour - 255)).astype(np.uint8)
    return picture.repeat(upscale, axis=0).repeat(upscale, axis=1)


def draw_boxes(
    picture: np.ndarray,
    boxes: np.ndarray,
    captions: Sequence[str],
    colour: tuple[int, int, int],
) -> None:
    """Outlines with captions above them, in place.

    Args:
        picture: uint8 ``(H, W, 3)``.
        boxes: ``(N, 4)`` xyxy in pixels of the picture.
        captions: one per box; may be empty.
        colour: blue, green, red.
    """
    for box, caption in zip(boxes.round().astype(int).tolist(), captions, strict=True):
        x1, y1, x2, y2 = box
        cv2.rectangle(picture, (x1, y1), (x2, y2), colour, 1)
        if caption:
            spot = (max(x1, 0), y1 - 3 if y1 > 12 else min(y2, len(picture)) + 11)
            cv2.putText(
                picture, caption, spot, cv2.FONT_HERSHEY_SIMPLEX, _LEGIBLE, colour, 1, cv2.LINE_AA
            )
