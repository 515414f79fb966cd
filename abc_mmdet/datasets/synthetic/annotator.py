"""What of a synthetic event recording is labelled."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .coco_export import MIN_SIDE, MIN_VISIBLE
from .traffic_scene import SceneObject

_FULL_WIDTH = 1280  # limits in pixels hold for a sensor of this width

BOX = np.dtype(
    [
        *[('t', '<i8'), ('x', '<f4'), ('y', '<f4'), ('w', '<f4'), ('h', '<f4')],
        *[('class_id', '<u4'), ('track_id', '<u4'), ('class_confidence', '<f4')],
    ]
)
"""A label: time in µs, top-left corner and size in pixels of the sensor."""


class Annotator:
    """Labels what has been seen to move: of the rest the events tell nothing.

    Whoever has moved keeps the label while standing. Small and hidden objects get none.

    Args:
        width: of the sensor, pixels.
    """

    def __init__(self, width: int) -> None:
        scale = width / _FULL_WIDTH
        self._min_side = MIN_SIDE * scale
        self._moved = 2.0 * scale  # pixels that an edge has to move to be seen moving
        self._first: dict[int, np.ndarray] = {}
        self._noticed: set[int] = set()

    def label(self, t_us: int, objects: Sequence[SceneObject]) -> list[tuple]:
        """Rows of :data:`BOX` for the objects in view."""
        rows = []
        for item in objects:
            box = np.array(item.box)
            first = self._first.setdefault(item.track_id, box)
            if np.abs(box - first).max() >= self._moved:
                self._noticed.add(item.track_id)
            x1, y1, x2, y2 = item.box
            if item.track_id not in self._noticed or item.visible < MIN_VISIBLE:
                continue
            if min(x2 - x1, y2 - y1) >= self._min_side:
                rows.append((t_us, x1, y1, x2 - x1, y2 - y1, item.class_id, item.track_id, 1.0))
        return rows
