"""Detections of many images as COCO JSON and as CSV, and tracks as MOTChallenge has them."""

from __future__ import annotations

import csv
import io
import json
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from abc_mmdet.utils.atomic_write import atomic_write

from .detections import Detections

FILES = ('detections.json', 'detections.csv')
TRACKS = 'tracks'
"""The folder of what is tracked, one file per video or folder of images, as MOTChallenge has it."""
_LEAST_PAUSE, _SHARE = 5.0, 0.05
"""Seconds between two writings, and the share of the time that they may take."""


class DetectionFiles:
    """Collects detections and writes them as they come; both files are whole at any time.

    ``detections.json`` is a COCO data set whose annotations have a ``score``: it opens where
    ground truth does, for looking at it or for training on it, and its ``annotations`` alone are
    COCO results. Categories count from 1, in the order of the classes. Images of a video have
    their video and number as well, windows of an event recording also their end
    (``timestamp_us``; ``time_us`` in the CSV) and latency. What was tracked has its number as
    ``track_id``, and lies in the folder ``tracks`` as well
    (:func:`~abc_mmdet.inference.detection_files.mot_lines`).

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


def mot_lines(rows: Iterable[tuple[int, int, Sequence[float], float]]) -> str:
    """Tracks in the format of MOTChallenge, which TrackEval and motmetrics read.

    Args:
        rows: number of the image from 0 on, of the track, ``x, y, width, height``, and score.

    Returns:
        A line ``frame,id,x,y,w,h,score,-1,-1,-1`` per row; frames count from 1.

    Examples:
        >>> mot_lines([(0, 7, (1.0, 2.0, 8.0, 9.0), 0.5)])
        '1,7,1.00,2.00,8.00,9.00,0.50000,-1,-1,-1\\n'
    """
    lines = []
    for number, track, box, score in sorted(rows, key=lambda row: row[:2]):
        corner_and_size = ','.join(f'{value:.2f}' for value in box)
        lines.append(f'{number + 1},{track},{corner_and_size},{score:.5f},-1,-1,-1\n')
    return ''.join(lines)
