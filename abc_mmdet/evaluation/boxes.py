"""Boxes of one class as arrays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Boxes:
    """Boxes of one class: place in their list, place of their image, and x, y, w, h."""

    place: np.ndarray
    image: np.ndarray
    box: np.ndarray

    @classmethod
    def of(cls, records: Sequence[Mapping], places: list[int], images: Mapping) -> Boxes:
        boxes = np.array([records[p]['bbox'] for p in places], float).reshape(-1, 4)
        image = np.array([images[records[p]['image_id']] for p in places], int)
        return cls(np.array(places, int), image, boxes)

    def take(self, which: np.ndarray) -> Boxes:
        return Boxes(self.place[which], self.image[which], self.box[which])
