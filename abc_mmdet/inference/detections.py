"""Detections of one image, and of many as COCO JSON and as CSV."""

from __future__ import annotations

import csv
import io
import json
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from mmengine.structures import InstanceData

from abc_mmdet.evaluation.cut_detections import cut_to_image
from abc_mmdet.utils.atomic_write import atomic_write
from abc_mmdet.visualization import draw_detections

from .images import read_image, write_image
from .mot_format import mot_lines

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


FILES = ('detections.json', 'detections.csv')
TRACKS = 'tracks'
"""The folder of what is tracked, one file per video or folder of images, as MOTChallenge has it."""
_LEAST_PAUSE, _SHARE = 5.0, 0.05
"""Seconds between two writings, and the share of the time that they may take."""


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


class DetectionFiles:
    """Collects detections and writes them as they come; both files are whole at any time.

    ``detections.json`` is a COCO data set whose annotations have a ``score``: it opens where
    ground truth does, for looking at it or for training on it, and its ``annotations`` alone are
    COCO results. Categories count from 1, in the order of the classes. Images of a video have
    their video and number as well, windows of an event recording also their end
    (``timestamp_us``; ``time_us`` in the CSV) and latency. What was tracked has its number as
    ``track_id``, and lies in the folder ``tracks`` as well
    (:func:`~abc_mmdet.inference.mot_format.mot_lines`).

    Args:
        folder: where both files go.
        classes: names, by label.

    Attributes:
        recordings: what was counted in recordings of events, for ``detections.json``.
    """

    def __init__(self, folder: Path, classes: Sequence[str]) -> None:
        self.folder = folder
        self.categories = [dict(id=i, name=name) for i, name in enumerate(classes, start=1)]
        self.images: list[dict[str, Any]] = []
        self.annotations: list[dict[str, Any]] = []
        self.are_tracked = self.have_times = False
        self.recordings: list[dict[str, Any]] = []
        self._next_time = 0.0

    def add(self, file_name: str, found: Detections, **fields: Any) -> None:
        """Append an image; ``fields`` are added to its entry."""
        width, height = found.size
        image = dict(id=len(self.images) + 1, file_name=file_name, width=width, height=height)
        self.images.append({**image, **fields})
        self.have_times |= 'timestamp_us' in fields
        tracks: list[dict[str, int]] = [{}] * len(found)
        if found.ids is not None:
            self.are_tracked = True
            tracks = [dict(track_id=track) for track in found.ids.tolist()]
        for box, score, label, track in zip(
            found.boxes, found.scores, found.labels, tracks, strict=True
        ):
            x1, y1, x2, y2 = (round(float(value), 3) for value in box)
            box_width, box_height = round(x2 - x1, 3), round(y2 - y1, 3)
            self.annotations.append(
                dict(
                    id=len(self.annotations) + 1,
                    image_id=image['id'],
                    category_id=int(label) + 1,
                    bbox=[x1, y1, box_width, box_height],
                    area=round(box_width * box_height, 3),
                    iscrowd=0,
                    score=round(float(score), 5),
                    **track,
                )
            )

    def write_now_and_then(self) -> None:
        """:meth:`write` at once the first time, and later if that was a while ago."""
        begin = time.monotonic()
        if begin >= self._next_time:
            self.write()
            end = time.monotonic()
            self._next_time = end + max(_LEAST_PAUSE, (end - begin) / _SHARE)

    def write(self) -> None:
        """Write ``detections.json`` and ``detections.csv``, and tracks if there are.

        Raises:
            UserError: the folder cannot be written to.
        """
        content = dict(images=self.images, annotations=self.annotations, categories=self.categories)
        if self.recordings:
            content['recordings'] = self.recordings
        atomic_write(self.folder / FILES[0], json.dumps(content).encode())
        text = io.StringIO()
        writer = csv.writer(text, lineterminator='\n')
        columns = ['file_name', 'class', 'score', 'x1', 'y1', 'x2', 'y2']
        columns += ['track_id'] if self.are_tracked else []
        writer.writerow([*columns, 'time_us'] if self.have_times else columns)
        for found in self.annotations:
            x, y, width, height = found['bbox']
            image = self.images[found['image_id'] - 1]
            corners = [x, y, round(x + width, 3), round(y + height, 3)]
            writer.writerow(
                [
                    image['file_name'],
                    self.categories[found['category_id'] - 1]['name'],
                    found['score'],
                    *corners,
                    *([found['track_id']] if self.are_tracked else []),
                    *([image['timestamp_us']] if self.have_times else []),
                ]
            )
        atomic_write(self.folder / FILES[1], text.getvalue().encode())
        for sequence, lines in self._sequences().items():
            atomic_write(self.folder / TRACKS / f'{sequence}.txt', lines.encode())

    def _sequences(self) -> dict[str, str]:
        """Content of the files of tracks, by the name of the video or folder."""
        if not self.are_tracked:
            return {}
        rows: dict[str, list[tuple[int, int, list[float], float]]] = {}
        for image in self.images:
            rows.setdefault(image['video'], [])
        for found in self.annotations:
            image = self.images[found['image_id'] - 1]
            row = image['number'], found['track_id'], found['bbox'], found['score']
            rows[image['video']].append(row)
        return {sequence: mot_lines(of) for sequence, of in rows.items()}

    @property
    def num_tracks(self) -> int:
        """In all sequences together."""
        tracks = {
            (self.images[found['image_id'] - 1].get('video'), found['track_id'])
            for found in self.annotations
            if 'track_id' in found
        }
        return len(tracks)
