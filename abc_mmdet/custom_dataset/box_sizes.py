"""How large the objects of a data set are at network resolution."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from abc_mmdet.datasets.annotations.coco_file import BoxTable, CocoFile

from .network_input import NetworkInput

EDGES = (0, 4, 8, 12, 16, 24, 32, 48, 64, 96, 128, 256)
"""Pixels; the last bin of a histogram has no upper limit."""

LARGE = 128.0
"""Pixels: eight cells of stride 16, the largest boxes that FCOS leaves to that level."""

FEW_LARGE = 0.01
"""Share of larger boxes from which on stride 32 is there for them."""

HARDLY_THERE = 5.0
"""Pixels; what is smaller has too few of them to be recognised by anything."""


@dataclass(frozen=True)
class BoxSizes:
    """Sizes (square root of the area) of the usable boxes of some classes, in pixels.

    Args:
        classes: their names.
        label: ``(N,)`` the class of each box.
        size: ``(N,)`` at network resolution.
        on_disk: ``(N,)`` in pixels of the image file.
    """

    classes: tuple[str, ...]
    label: np.ndarray
    size: np.ndarray
    on_disk: np.ndarray

    @classmethod
    def of(
        cls, file: CocoFile, classes: Sequence[str], network_input: NetworkInput | None
    ) -> BoxSizes:
        """Measure a file; without ``network_input`` at the resolution of the image files."""
        scales = None if network_input is None else network_input.scales
        return cls.of_table(file.boxes, file.names, classes, scales)

    @classmethod
    def of_table(
        cls,
        table: BoxTable,
        names: Sequence[str],
        classes: Sequence[str],
        scales: Callable[[np.ndarray], np.ndarray] | None = None,
    ) -> BoxSizes:
        """Measure the boxes of a table.

        Args:
            table: the boxes.
            names: of its categories.
            classes: that are wanted.
            scales: from sizes of images ``(N, 2)`` to how much these are scaled; None: not at all.
        """
        place = {name: label for label, name in enumerate(classes)}
        label_of = np.array([place.get(name, -1) for name in names] + [-1], np.int64)
        label = label_of[table.category]
        rows = table.used & (label >= 0)
        sides = table.inside[rows]
        scaled = sides if scales is None else sides * scales(table.image_size[rows])
        size, on_disk = np.sqrt(scaled.prod(1)), np.sqrt(sides.prod(1))
        return cls(tuple(classes), label[rows], size, on_disk)

    def __len__(self) -> int:
        return len(self.size)

    def of_class(self, name: str) -> np.ndarray:
        """Sizes of one class."""
        return self.size[self.label == self.classes.index(name)]

    def share_below(self, limit: float) -> float:
        """Share of the boxes that are smaller; 0 if there are none."""
        return float((self.size < limit).mean()) if len(self) else 0.0

    def histogram(self, classes: Sequence[str] | None = None) -> np.ndarray:
        """Number of boxes between :data:`EDGES`, of all classes or of some."""
        size = self.size
        if classes is not None:
            labels = [self.classes.index(name) for name in classes]
            size = size[np.isin(self.label, labels)]
        bins = np.searchsorted(EDGES, size, side='right') - 1
        return np.bincount(bins, minlength=len(EDGES))

    def percentile(self, percent: float) -> float:
        """Size below which so many percent are; 0 if there are no boxes."""
        return float(np.percentile(self.size, percent)) if len(self) else 0.0


def median(sizes: np.ndarray) -> float | None:
    """Of some sizes; None of none."""
    return float(np.median(sizes)) if len(sizes) else None


def bin_names() -> list[str]:
    """The bins of :meth:`BoxSizes.histogram` for people."""
    upper = [f'{low}-{high}' for low, high in pairwise(EDGES)]
    return [*upper, f'{EDGES[-1]}+']
