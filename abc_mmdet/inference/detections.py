"""Detections in one image, or in one window of an event stream."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from mmengine.structures import InstanceData

from abc_mmdet.evaluation.cut_detections import cut_to_image
from abc_mmdet.visualization import draw_detections, draw_events, with_caption

from .images import read_image, write_image

AnyDetections = TypeVar('AnyDetections', bound='Detections')


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
        ids: int64 ``(N,)``, the numbers of their tracks, from 1 on; None if they were not tracked.
    """

    boxes: np.ndarray
    scores: np.ndarray
    labels: np.ndarray
    classes: tuple[str, ...]
    size: tuple[int, int]
    source: np.ndarray | Path
    ids: np.ndarray | None = None

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

    def above(self: AnyDetections, score_thr: float) -> AnyDetections:
        """Those with a score of at least ``score_thr``."""
        keep = self.scores >= score_thr
        return replace(
            self,
            boxes=self.boxes[keep],
            scores=self.scores[keep],
            labels=self.labels[keep],
            ids=None if self.ids is None else self.ids[keep],
        )

    def image(self) -> np.ndarray:
        """What was detected in, uint8 ``(H, W, 3)``, blue, green, red."""
        return self.source if isinstance(self.source, np.ndarray) else read_image(self.source)

    def draw(self, score_thr: float = 0.3) -> np.ndarray:
        """The image with the detections of at least this score: uint8 ``(H, W, 3)``, BGR."""
        found = self.above(score_thr)
        return draw_detections(
            self.image(), found.boxes, found.scores, found.labels, self.classes, found.ids
        )

    def save(self, path: str | Path, score_thr: float = 0.3) -> None:
        """Write :meth:`draw` to an image file.

        Raises:
            UserError: a suffix that is none of an image, or a place that cannot be written to.
        """
        write_image(path, self.draw(score_thr))


@dataclass(frozen=True, eq=False, repr=False)
class WindowDetections(Detections):
    """Detections in a window of events, best first; boxes are in pixels of the sensor.

    Attributes:
        source: the window as the network was shown it, stacked histogram ``(2 * bins, H, W)``.
        time_us: end of the window, in the time of the recording, µs.
        latency_ms: from the complete window to its detections: waiting (of a live stream), making
            the representation, network and suppression.
        number: of the window in the stream, those that were dropped included.
        segment: how often the clock of the recording had jumped.
        num_events: in the window; of a representation from disk the sum of its counts.
        is_late: it took longer than from one window to the next.
    """

    time_us: int = 0
    latency_ms: float = 0.0
    number: int = 0
    segment: int = 0
    num_events: int = 0
    is_late: bool = False

    def __repr__(self) -> str:
        text = super().__repr__().removesuffix('>').replace('in an image', 'in events', 1)
        return f'{text} until {self.time_us / 1e6:.3f} s, after {self.latency_ms:.0f} ms>'

    def image(self) -> np.ndarray:
        """The events in pixels of the sensor, uint8 ``(H, W, 3)``, blue, green, red."""
        assert isinstance(self.source, np.ndarray)
        width, height = self.size
        drawn = draw_events(self.source, max(1, round(height / self.source.shape[1])))
        rows, columns = height - drawn.shape[0], width - drawn.shape[1]
        # half of an odd side is rounded down
        return np.pad(drawn, ((0, max(rows, 0)), (0, max(columns, 0)), (0, 0)), constant_values=255)

    def draw_with_time(self, name: str, score_thr: float = 0.3) -> np.ndarray:
        """:meth:`draw`, with the name of the recording and the time in a line below."""
        count = f'{self.num_events:,} events' if self.num_events else 'no event'
        return with_caption(self.draw(score_thr), f'{name}  {self.time_us / 1e6:.2f} s  {count}')


def best_first(instances: InstanceData, size: tuple[int, int]) -> dict[str, Any]:
    """``boxes``, ``scores`` and ``labels`` of :class:`Detections`, from what a detector gives.

    Args:
        instances: ``bboxes`` in pixels of the image, ``scores`` and ``labels``.
        size: width and height of the image; boxes are cut to it, and those outside left out.
    """
    order = instances.scores.argsort(descending=True, stable=True)
    best = instances[order].cpu().numpy()
    boxes, inside = cut_to_image(best.bboxes.astype(np.float32), size)
    return dict(
        boxes=boxes[inside],
        scores=best.scores.astype(np.float32)[inside],
        labels=best.labels.astype(np.int64)[inside],
    )
