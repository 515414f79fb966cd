"""Recordings in RVT's layout as a data set of clips, and what a sampler asks it for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from mmengine.dataset import BaseDataset

from abc_mmdet.errors import UserError
from mmdet.registry import DATASETS

from .catalogue import CATALOGUE
from .rvt_layout import RVTSequence, find_sequences


class Clip(NamedTuple):
    """Consecutive representations of one recording.

    Args:
        recording: index of the recording in the data set.
        start, stop: steps, ``stop`` excluded.
        seed: what augmentation is drawn from. The clips of one pass through a recording share it,
            so that a stream is flipped as a whole; together with the recording it names the pass.
        streamed: whether the clip goes on where the one before it ended. A clip on its own begins
            without memory and leaves none.

    Examples:
        >>> clip = Clip(recording=0, start=5, stop=10, seed=0, streamed=True)
        >>> clip.stop - clip.start
        5
    """

    recording: int
    start: int
    stop: int
    seed: int
    streamed: bool


def tile(num_steps: int, length: int, ends: set[int]) -> list[tuple[int, int]]:
    """Cut ``num_steps`` steps into ranges of at most ``length``, and after each step in ``ends``.

    Examples:
        >>> tile(7, 3, set())
        [(0, 3), (3, 6), (6, 7)]
        >>> tile(7, 3, {1, 3})
        [(0, 2), (2, 4), (4, 7)]
    """
    ranges, start = [], 0
    for step in range(num_steps):
        if step + 1 - start == length or step in ends or step + 1 == num_steps:
            ranges.append((start, step + 1))
            start = step + 1
    return ranges


@DATASETS.register_module()
class EventSequenceDataset(BaseDataset):
    """Clips of consecutive event representations, with labels on some of their steps.

    It is indexed by a :class:`~.clip.Clip`, as :class:`StreamBatchSampler` asks, or by a number:
    clip ``i`` of all recordings cut into ``clip_length`` steps, in order. In test mode clips also
    end at every labelled step, so there are at least as many clips as frames to evaluate.

    Boxes are on disk in pixels of the sensor. ``gt_instances`` are in pixels of the representation;
    ``instances`` (from which :class:`SmallObjectMetric` takes its ground truth, no COCO file
    needed) and ``ori_shape`` in pixels of the sensor, to which detections are scaled back.

    Args:
        catalogue: whose class ids the labels have: ``etram``, ``1mpx``, ``gen1``,
            ``dsec-detection``, ``pedro``, ``fred`` or ``ev-uav``.
        metainfo: ``dict(classes=...)``; boxes of classes that are not in it are left out. Labels
            are matched by name. Default: all classes of the catalogue.
        representation: folder of the representation.
        downsample: ``none``, ``nearest`` or ``sum``: which file of the representation.
        clip_length: steps of a clip.
        every_step: treat steps without labels as frames without objects. For looking at
            detections; metrics measured with it mean nothing.
        **kwargs: of MMEngine's ``BaseDataset``: ``data_root``, the folder with ``train``, ``val``
            and ``test``; ``data_prefix=dict(recordings='train/')``, that of this split; and others.

    Raises:
        UserError: unknown catalogue or class, no recordings, or files that cannot be read.

    Examples:
        >>> config = dict(
        ...     type='EventSequenceDataset', data_root='data/etram', catalogue='etram',
        ...     data_prefix=dict(recordings='train/'), clip_length=5,
        ...     metainfo=dict(classes=('pedestrian', 'car')),
        ...     pipeline=[dict(type='LoadEventClip'), dict(type='PackClipInputs')])
    """

    def __init__(
        self,
        *args: Any,
        catalogue: str = 'etram',
        representation: str = 'stacked_histogram_dt=50_nbins=10',
        downsample: str = 'none',
        clip_length: int = 5,
        every_step: bool = False,
        metainfo: dict | None = None,
        **kwargs: Any,
    ) -> None:
        if catalogue not in CATALOGUE:
            raise UserError(f'catalogue={catalogue!r}: known are {sorted(CATALOGUE)}.')
        if clip_length < 1:
            raise UserError(f'clip_length={clip_length}: a clip has at least one step.')
        self.names = names = CATALOGUE[catalogue].classes
        metainfo = dict(metainfo or {})
        metainfo.setdefault('classes', names)
        unknown = [name for name in metainfo['classes'] if name not in names]
        if unknown:
            raise UserError(
                f'metainfo.classes names {unknown}, which {catalogue} does not have; its classes '
                f'are {list(names)}.'
            )
        self.label_of_id = np.array(
            [metainfo['classes'].index(n) if n in metainfo['classes'] else -1 for n in names]
        )
        self.representation = representation
        self.downsample = downsample
        self.clip_length = clip_length
        self.every_step = every_step
        self.sequences: list[RVTSequence] = []
        super().__init__(*args, metainfo=metainfo, **kwargs)

    @property
    def factor(self) -> int:
        """Pixels of the sensor per pixel of a representation, each way."""
        return 1 if self.downsample == 'none' else 2

    def load_data_list(self) -> list[dict]:
        """Clips of all recordings; the events themselves stay on disk."""
        folder = self.data_prefix['recordings']
        self.sequences = [
            RVTSequence(path, self.representation, self.downsample)
            for path in find_sequences(folder)
        ]
        if not self.sequences:
            raise UserError(
                f"{folder} holds no recordings in RVT's layout (NAME/event_representations_v2/"
                f'{self.representation}). tools/dataset_converters/event_recordings.py makes them.'
            )
        counts = [self._num_frames(sequence) for sequence in self.sequences]
        self._first_frame = np.cumsum([0, *counts])  # images are numbered through all recordings
        self._still: dict[int, list[np.ndarray]] = {}
        return [
            clip._asdict()
            for recording in range(len(self.sequences))
            for clip in self.stream(recording, seed=0)
        ]

    def stream(self, recording: int, seed: int) -> list[Clip]:
        """All clips of one recording, in order."""
        sequence = self.sequences[recording]
        ends = set(sequence.frame_steps.tolist()) if self.test_mode else set()
        return [
            Clip(recording, start, stop, seed, streamed=True)
            for start, stop in tile(sequence.num_steps, self.clip_length, ends)
        ]

    def clip_before(self, recording: int, frame: int, seed: int) -> Clip:
        """A clip on its own, as long as may be, whose last step is a labelled frame."""
        stop = int(self.sequences[recording].frame_steps[frame]) + 1
        return Clip(recording, max(0, stop - self.clip_length), stop, seed, streamed=False)

    def get_data_info(self, idx: int | Clip) -> dict:
        """Everything about a clip but its events.

        A clip asked for by number is streamed in test mode and on its own in training, where
        numbers come in any order.
        """
        if isinstance(idx, Clip):
            clip = idx
        else:
            info = super().get_data_info(idx)
            clip = Clip(**{name: info[name] for name in Clip._fields})
            clip = clip._replace(streamed=self.test_mode)
        sequence = self.sequences[clip.recording]
        height, width = sequence.shape[1:]
        factor = self.factor
        return dict(
            clip._asdict(),
            sequence=sequence,
            name=sequence.name,
            frames=self._frames(clip),
            scale_factor=(1 / factor, 1 / factor),
            ori_shape=(height * factor, width * factor),
            sample_idx=idx,
        )

    def _num_frames(self, sequence: RVTSequence) -> int:
        return sequence.num_steps if self.every_step else len(sequence.frame_steps)

    def _frames(self, clip: Clip) -> list[dict]:
        """Labelled frames of a clip: step in it, time, boxes (N, 4) xyxy in sensor pixels, ..."""
        sequence = self.sequences[clip.recording]
        steps = sequence.frame_steps
        frame_of_step = {int(step): frame for frame, step in enumerate(steps)}
        frames = []
        for step in range(clip.start, clip.stop):
            frame = frame_of_step.get(step)
            number = step if self.every_step else frame
            if number is None:
                continue
            frames.append(
                dict(
                    step=step - clip.start,
                    img_id=int(self._first_frame[clip.recording]) + number,
                    timestamp_us=int(sequence.window_ends_us[step]),
                    **self._boxes(clip.recording, frame),
                )
            )
        return frames

    def _boxes(self, recording: int, frame: int | None) -> dict[str, np.ndarray]:
        if frame is None:
            return dict(
                bboxes=np.zeros((0, 4), np.float32),
                labels=np.zeros(0, np.int64),
                still=np.zeros(0, bool),
            )
        sequence = self.sequences[recording]
        if recording not in self._still:
            count = len(sequence.frame_steps)
            self._still[recording] = still_objects([sequence.labels(i) for i in range(count)])
        boxes = sequence.labels(frame)
        ids = boxes['class_id'].astype(np.int64)
        if len(ids) and ids.max() >= len(self.label_of_id):
            raise UserError(
                f'{sequence.folder}: class_id {ids.max()}, but this catalogue has only '
                f'{len(self.label_of_id)} classes: is dataset.catalogue right?'
            )
        labels = self.label_of_id[ids]
        corners = [boxes['x'], boxes['y'], boxes['x'] + boxes['w'], boxes['y'] + boxes['h']]
        wanted = labels >= 0
        return dict(
            bboxes=np.stack(corners, axis=1).astype(np.float32)[wanted],
            labels=labels[wanted],
            still=self._still[recording][frame][wanted],
        )


STILL_PIXELS = 1.0
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
                    flags[i] = max(abs(x - old_x), abs(y - old_y)) < STILL_PIXELS
                tracks[track_id] = [*track, (t, float(x), float(y))]
        still.append(flags)
    return still
