"""The recordings of an event data set, with all their mistakes."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
from tqdm import tqdm

from abc_mmdet.datasets.annotations.coco_file import BoxTable
from abc_mmdet.datasets.events import EventSequenceDataset
from abc_mmdet.datasets.events.labels import FIELDS
from abc_mmdet.datasets.events.rvt_layout import REPRESENTATIONS, RVTSequence
from abc_mmdet.errors import UserError

_AT_A_TIME = 16  # steps read together
_NO_LABELS = np.zeros(0, [(name, 'f8') for name in FIELDS])


@dataclass(frozen=True)
class EventRecording:
    """What one recording is.

    Args:
        path: of its folder.
        state: ``fine``, ``missing`` or why it cannot be read.
        shape: of a representation, ``(C, H, W)``; None if it cannot be read.
        window_ends_us: ends of the windows of events, ``(N,)``.
        frame_steps: window of each labelled frame, ``(F,)``.
        labels: structured array of all boxes, in pixels of the sensor.
        frame_of_label: labelled frame of each of them.
        has_events: ``(N,)`` whether there is any event in a window; None if they were not read.
        digest: of representations and labels; None if they were not read.
    """

    path: str
    state: str = 'fine'
    shape: tuple[int, int, int] | None = None
    window_ends_us: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))
    frame_steps: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))
    labels: np.ndarray = field(default_factory=lambda: _NO_LABELS)
    frame_of_label: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))
    has_events: np.ndarray | None = None
    digest: bytes | None = None

    @property
    def name(self) -> str:
        return Path(self.path).name


@dataclass(frozen=True)
class EventRecordings:
    """All recordings of a split, and their boxes as one table.

    Args:
        path: folder of the split.
        names: of the classes, by ``class_id``.
        factor: pixels of the sensor per pixel of a representation, each way.
        window_us: length of a window of events.
        recordings: of it.
    """

    path: str
    names: list[str]
    factor: int
    window_us: int
    recordings: list[EventRecording]

    @classmethod
    def read(cls, dataset: EventSequenceDataset, decode: bool, progress: bool) -> EventRecordings:
        """Look at every folder of a split.

        Args:
            dataset: not loaded yet.
            decode: read all representations, else only labels and times.
            progress: show a bar in a terminal.
        """
        folder = Path(dataset.data_prefix['recordings'])
        folders = sorted(path for path in folder.iterdir() if path.is_dir())
        hidden = None if progress else True  # None: where the output is no terminal
        bar = tqdm(folders, 'reading recordings', leave=False, disable=hidden)
        recordings = [_look_at(path, dataset, decode) for path in bar]
        in_name = re.search(r'dt=(\d+)', dataset.representation)
        return cls(
            str(folder),
            list(dataset.names),
            dataset.factor,
            1000 * int(in_name[1]) if in_name else 0,
            recordings,
        )

    @cached_property
    def readable(self) -> list[EventRecording]:
        """Recordings that could be read."""
        return [recording for recording in self.recordings if recording.state == 'fine']

    @cached_property
    def recording_of_box(self) -> np.ndarray:
        """Place of its recording in ``readable``, of every box."""
        counts = [len(recording.labels) for recording in self.readable]
        return np.repeat(np.arange(len(counts)), counts)

    @cached_property
    def labels(self) -> np.ndarray:
        """``(N, 6)`` t, x, y, w, h and class_id of all boxes."""
        columns = [
            np.stack([r.labels[name].astype(np.float64) for name in FIELDS], axis=1)
            for r in self.readable
        ]
        return np.concatenate([np.zeros((0, 6)), *columns])

    @cached_property
    def boxes(self) -> BoxTable:
        """All boxes; ``image`` is the labelled frame, counted through all recordings."""
        labels = self.labels
        corner, sides, ids = labels[:, 1:3], labels[:, 3:5], labels[:, 5].astype(np.int64)
        is_known = (ids >= 0) & (ids < len(self.names))
        sizes = [[r.shape[2], r.shape[1]] for r in self.readable if r.shape is not None]
        return BoxTable(
            np.concatenate([corner, corner + sides], axis=1),
            np.concatenate([[0], *self._frames_of_labels]).astype(np.int64)[1:],
            np.where(is_known, ids, -1),
            sides.prod(axis=1),
            self.factor * np.array([*sizes, [0, 0]], np.float64)[self.recording_of_box],
            np.zeros(len(labels), bool),
        )

    @property
    def _frames_of_labels(self) -> Sequence[np.ndarray]:
        counts = [len(recording.frame_steps) for recording in self.readable]
        first = np.cumsum([0, *counts])
        return [r.frame_of_label + f for r, f in zip(self.readable, first[:-1], strict=True)]

    @property
    def num_frames(self) -> int:
        """Labelled frames of all recordings."""
        return sum(len(recording.frame_steps) for recording in self.readable)

    def describe(self, row: int) -> str:
        """A box by its number, as a person would look it up."""
        t, *box, class_id = self.labels[row].tolist()
        name = self.readable[int(self.recording_of_box[row])].name
        listed = ', '.join(f'{value:g}' for value in box)
        return f'{name} at {t / 1e6:.3f} s: class_id {class_id:g}, x, y, w, h [{listed}]'


def _look_at(folder: Path, dataset: EventSequenceDataset, decode: bool) -> EventRecording:
    if not (folder / REPRESENTATIONS).is_dir():
        return EventRecording(str(folder), 'missing')
    try:
        sequence = RVTSequence(folder, dataset.representation, dataset.downsample)
        frames = [sequence.labels(i) for i in range(len(sequence.frame_steps))]
        labels = np.concatenate(frames) if frames else _NO_LABELS
        missing = [name for name in FIELDS if name not in (labels.dtype.names or ())]
        if missing:
            return EventRecording(str(folder), f'its labels have no field {missing[0]!r}')
        has_events, digest = _all_events(sequence, labels) if decode else (None, None)
    except UserError as error:
        return EventRecording(str(folder), str(error))
    return EventRecording(
        str(folder),
        shape=sequence.shape,
        window_ends_us=sequence.window_ends_us.astype(np.int64),
        frame_steps=sequence.frame_steps.astype(np.int64),
        labels=labels,
        frame_of_label=np.repeat(np.arange(len(frames)), [len(frame) for frame in frames]),
        has_events=has_events,
        digest=digest,
    )


def _all_events(sequence: RVTSequence, labels: np.ndarray) -> tuple[np.ndarray, bytes]:
    digest = hashlib.blake2b(np.ascontiguousarray(labels).tobytes(), digest_size=16)
    has_events = np.zeros(sequence.num_steps, bool)
    for start in range(0, sequence.num_steps, _AT_A_TIME):
        part = sequence.representations(start, start + _AT_A_TIME)
        has_events[start : start + len(part)] = part.any(axis=(1, 2, 3))
        digest.update(part.tobytes())
    return has_events, digest.digest()
