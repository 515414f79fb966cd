"""Event representations and boxes as pictures."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

_SATURATED = 4  # events per pixel that give the full colour
_POSITIVE, _NEGATIVE = np.array((40, 40, 225)), np.array((220, 110, 30))  # blue, green, red
_FONT, _LEGIBLE = cv2.FONT_HERSHEY_SIMPLEX, 0.42  # scale
_ASCENT, _DESCENT = 10, 3  # pixels of such letters above and below their line


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
    captions_below: bool = False,
) -> None:
    """Outlines with captions, in place; what would lie outside of the picture is moved inside.

    Args:
        picture: uint8 ``(H, W, 3)``.
        boxes: ``(N, 4)`` xyxy in pixels of the picture.
        captions: one per box; may be empty.
        colour: blue, green, red.
        captions_below: write them below the boxes, not above. Where there is no room, they stand
            at the same edge inside, so that truth and detection of one object stay legible.
    """
    height, width = picture.shape[:2]
    for box, caption in zip(boxes.round().astype(int).tolist(), captions, strict=True):
        x1, y1, x2, y2 = np.clip(box, 0, [width - 1, height - 1] * 2).tolist()
        cv2.rectangle(picture, (x1, y1), (x2, y2), colour, 1)
        if captions_below:
            y = y2 + _ASCENT + 1 if y2 + _ASCENT + _DESCENT < height else y2 - _DESCENT
        else:
            y = y1 - _DESCENT if y1 > _ASCENT + _DESCENT else y1 + _ASCENT + 2
        text_width = cv2.getTextSize(caption, _FONT, _LEGIBLE, 1)[0][0]
        x = max(0, min(x1, width - text_width))
        for border, ink in ((3, (255, 255, 255)), (1, colour)):  # legible on events, too
            cv2.putText(picture, caption, (x, y), _FONT, _LEGIBLE, ink, border, cv2.LINE_AA)
