"""What was found in one image."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from abc_mmdet.apis.picture_file import read_picture, write_picture
from abc_mmdet.visualization import draw_detections


@dataclass(frozen=True, eq=False, repr=False)
class Detections:
    """Detections in one image, best first.

    Attributes:
        boxes: float32 ``(N, 4)``, xyxy in pixels of the original image, and inside it.
        scores: float32 ``(N,)``.
        labels: int64 ``(N,)``.
        classes: names of all classes, by label.
        size: width and height of the image.
        source: the image, or its file.
    """

    boxes: np.ndarray
    scores: np.ndarray
    labels: np.ndarray
    classes: tuple[str, ...]
    size: tuple[int, int]
    source: np.ndarray | Path

    def __repr__(self) -> str:
        counts = Counter(self.names).most_common()
        named = ', '.join(f'{count} {name}' for name, count in counts[:5])
        more = ', ...' if len(counts) > 5 else ''
        best = f': {named}{more}; best score {self.scores.max():.2f}' if len(self) else ''
        width, height = self.size
        return f'<{len(self)} detections in an image of {width} x {height} pixels{best}>'

    def __len__(self) -> int:
        return len(self.scores)

    @property
    def names(self) -> list[str]:
        """Class of every detection."""
        return [self.classes[label] for label in self.labels.tolist()]

    def above(self, score_thr: float) -> Detections:
        """Those with a score of at least ``score_thr``."""
        keep = self.scores >= score_thr
        return replace(
            self, boxes=self.boxes[keep], scores=self.scores[keep], labels=self.labels[keep]
        )

    def draw(self, score_thr: float = 0.3) -> np.ndarray:
        """The image with the detections of at least this score: uint8 ``(H, W, 3)``, BGR."""
        picture = self.source if isinstance(self.source, np.ndarray) else read_picture(self.source)
        found = self.above(score_thr)
        return draw_detections(picture, found.boxes, found.scores, found.labels, self.classes)

    def save(self, path: str | Path, score_thr: float = 0.3) -> None:
        """Write :meth:`draw` to an image file.

        Raises:
            UserError: a suffix that is none of an image, or a place that cannot be written to.
        """
        write_picture(path, self.draw(score_thr))
