"""DSEC-Detection: one folder for each recording, labels in the clock of the frame camera."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import h5py
import numpy as np

from abc_mmdet.datasets.hdf5 import own_dataset
from abc_mmdet.errors import UserError

from ..catalogue import EventCatalogueEntry
from ..labels import checked_boxes, load_boxes
from ..readers.reader import damage_is_named
from .base import Labels, Layout, Source

EVENTS = 'events/left/events.h5'
BOXES = 'object_detections/left/tracks.npy'
IMAGE_TIMES = 'images/timestamps.txt'

VALIDATION = tuple(f'zurich_city_{number}_a' for number in range(16, 22))
"""Recordings in the folder ``train`` that ``config/train_val_test_split.yaml`` takes for
validation."""

EARLY_US = 1_000_000
"""The frame camera may begin before the events, but not longer before than this."""


class DsecDetection(Layout):
    """``FOLDER/{train,test}/NAME/`` with :data:`EVENTS` and :data:`BOXES`.

    From DSEC-Detection's toolkit (github.com/uzh-rpg/dsec-det) and DSEC's description of its files
    (dsec.ifi.uzh.ch/data-format):

    * Times of events are µs after ``t_offset``, those of labels and images are not. ``t_offset``
      is subtracted from the latter.
    * Labels are "in the distorted event view": in the pixels of the sensor, those of
      ``events.h5``. Images are rectified, labels and events are not, so nothing is rectified here.
    * Boxes may leave the frame.
    * Every image is labelled. Those without any object are known where :data:`IMAGE_TIMES` is
      there; otherwise frames are the times of labels.

    Examples:
        >>> (Path('train') / 'zurich_city_16_a' / EVENTS).parent.mkdir(parents=True)
        >>> (Path('train') / 'zurich_city_16_a' / EVENTS).touch()
        >>> [(source.name, source.split) for source in DsecDetection().find(Path())]
        [('zurich_city_16_a', 'val')]
    """

    name: ClassVar[str] = 'DSEC-Detection'
    files: ClassVar[str] = f'NAME/{EVENTS} and NAME/{BOXES}'
    evidence: ClassVar[tuple[str, ...]] = (f'*/*/{BOXES}', f'*/*/{EVENTS}')

    def sources(self, place: Path, split: str) -> Iterator[Source]:
        for folder in sorted(path for path in place.iterdir() if path.is_dir()):
            events, boxes = folder / EVENTS, folder / BOXES
            if events.exists() or boxes.exists():
                own = 'val' if folder.name in VALIDATION else split
                yield Source(folder.name, own, events, boxes)

    def labels(self, source: Source, entry: EventCatalogueEntry, window_us: int) -> Labels:
        assert source.boxes is not None
        origin = _clock(source.events)
        tracks = load_boxes(source.boxes)
        kinds = {n: tracks.dtype[n] for n in tracks.dtype.names if tracks.dtype[n].kind in 'iuf'}
        boxes = np.zeros(len(tracks), [*(kinds | dict(t=np.dtype('<i8'))).items()])
        for name in kinds:
            boxes[name] = tracks[name] if name != 't' else 0
        boxes['t'] = _since(origin, tracks['t'], source.boxes, source.events)
        boxes = checked_boxes(source.boxes, boxes, entry.classes)
        return Labels(boxes, self._frames(source, boxes, origin))

    def _frames(self, source: Source, boxes: np.ndarray, origin: int) -> np.ndarray | None:
        path = source.events.parents[2] / IMAGE_TIMES
        if not path.is_file():
            return None
        try:
            times = np.array(path.read_text().split(), np.int64)
        except (ValueError, OverflowError) as error:
            raise UserError(f'{path} holds other than one time in µs in each line.') from error
        frames = np.unique(_since(origin, times, path, source.events))
        strange = ~np.isin(boxes['t'], frames)
        if strange.any():
            raise UserError(
                f'{source.boxes}: {int(strange.sum())} of {len(boxes)} labels are of a time that '
                f'no image of {path} has: one of the two files belongs to another recording.'
            )
        return frames


def _clock(path: Path) -> int:
    """Time of the frame camera at which that of the events is 0, µs."""
    with damage_is_named(path), h5py.File(path) as file:
        offset = own_dataset(file, 't_offset')
        if offset is None or offset.size != 1:
            raise UserError(
                f'{path} has no number t_offset, so that its times and those of its labels cannot '
                "be compared: it is no events.h5 of DSEC's."
            )
        return int(np.ravel(offset[()])[0])


def _since(origin: int, times: np.ndarray, path: Path, events: Path) -> np.ndarray:
    """Times of the frame camera in the clock of the events; early ones become 0."""
    since = times.astype(np.int64) - origin
    if len(since) and since.min() < -EARLY_US:
        raise UserError(
            f'{path}: a time of {int(times.min())} µs, but the events of {events} begin at '
            f'{origin} µs (t_offset). They belong to another recording, or are in another clock.'
        )
    return np.maximum(since, 0)
