"""Which objects of an image are small ones, for transforms that treat them in a special way."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from abc_mmdet.errors import UserError
from abc_mmdet.models.small_classes import ALL, SmallClasses, checked_names


class SmallObjects:
    """Small objects by class, given by name, and by size.

    Args:
        owner: name of the transform, for messages.
        small_classes: names of the classes, or ``'all'``; empty: ``max_area`` decides.
        max_area: area up to which objects are small, in pixels² of the image at this step of the
            pipeline; ``None`` for no limit.
        classes: names of all classes, in the order of the data set; needed with names of small
            ones.

    Attributes:
        classes: as given, or None.
        labels: of the small classes; None stands for all.
        max_area: the limit; infinite if there is none.

    Raises:
        UserError: wrong class names, a size that is not positive, neither names nor a size.

    Examples:
        >>> small = SmallObjects('Example', ['bird'], max_area=64, classes=['bird', 'car'])
        >>> boxes = np.array([[0, 0, 8, 8], [0, 0, 9, 8], [0, 0, 8, 8]])
        >>> small.among(boxes, labels=np.array([0, 0, 1]), ignored=np.zeros(3)).tolist()
        [True, False, False]
    """

    def __init__(
        self,
        owner: str,
        small_classes: Sequence[str] | str,
        max_area: float | None,
        classes: Sequence[str] | None,
    ) -> None:
        if max_area is not None and not max_area > 0:
            raise UserError(f'{owner} max_area={max_area}: give a positive area, or None.')
        if max_area is None and not small_classes:
            raise UserError(f'{owner} needs small_classes, max_area or both.')
        self.labels: tuple[int, ...] | None = None
        self.classes = None if classes is None else checked_names(classes, 'classes')
        if small_classes and small_classes != ALL:
            if self.classes is None:
                raise UserError(
                    f'{owner} small_classes are names, so it needs to know their '
                    'order: add classes=classes, the tuple of the data set.'
                )
            self.labels = SmallClasses(self.classes, small_classes).ids
        self.max_area = math.inf if max_area is None else max_area

    def among(self, boxes: np.ndarray, labels: np.ndarray, ignored: np.ndarray) -> np.ndarray:
        """``(N,)`` whether objects are small; ignored ones never are.

        Args:
            boxes: ``(N, 4)``, ``xyxy``.
            labels: ``(N,)``.
            ignored: ``(N,)``.
        """
        areas = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
        small = (areas <= self.max_area) & ~np.asarray(ignored, dtype=bool)
        return small if self.labels is None else small & np.isin(labels, self.labels)
