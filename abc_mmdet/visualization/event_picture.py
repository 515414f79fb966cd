"""Event representations as pictures."""

from __future__ import annotations

import numpy as np

_SATURATED = 4  # events per pixel that give the full colour
_POSITIVE, _NEGATIVE = np.array((40, 40, 225)), np.array((220, 110, 30))  # blue, green, red


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
