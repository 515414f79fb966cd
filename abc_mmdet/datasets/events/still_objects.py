"""Which labelled objects of a recording stand still, and so send no events."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

PIXELS = 1.0
"""A box whose centre moved less than this on the sensor, either way, has not moved."""

LOOK_BACK_US = (250_000, 650_000)
"""How long ago the box is compared with: the latest of its track between these."""


def still_objects(frames: Sequence[np.ndarray]) -> list[np.ndarray]:
    """For every labelled frame of one recording, which of its boxes stand still.

    Args:
        frames: structured arrays with t (µs), x, y, w, h (pixels) and track_id, in order of time.

    Returns:
        A boolean array per frame; all false where the labels have no ``track_id``.
    """
    tracks: dict[int, list[tuple[int, float, float]]] = {}
    still = []
    for boxes in frames:
        flags = np.zeros(len(boxes), bool)
        if boxes.dtype.names and 'track_id' in boxes.dtype.names:
            for i, box in enumerate(boxes):
                t, x, y = int(box['t']), box['x'] + box['w'] / 2, box['y'] + box['h'] / 2
                track_id = int(box['track_id'])
                track = [p for p in tracks.get(track_id, ()) if t - p[0] <= LOOK_BACK_US[1]]
                before = [p for p in track if t - p[0] >= LOOK_BACK_US[0]]
                if before:
                    _, old_x, old_y = before[-1]
                    flags[i] = max(abs(x - old_x), abs(y - old_y)) < PIXELS
                tracks[track_id] = [*track, (t, float(x), float(y))]
        still.append(flags)
    return still
