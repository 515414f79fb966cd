"""Synthetic event recordings on disk, as eTraM's come: ``NAME_td.h5`` and ``NAME_bbox.npy``."""

from __future__ import annotations

import json
import multiprocessing
import os
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import cv2
import h5py
import hdf5plugin
import numpy as np

from abc_mmdet.errors import UserError

from .coco_export import MIN_SIDE, MIN_VISIBLE
from .event_camera import EventSensor, film
from .prepared_folder import prepare_folder
from .traffic_scene import SceneObject, TrafficScene

GENERATOR = 'abc_mmdet synthetic events'
VERSION = '1.0'
"""Changes whenever equal arguments no longer give equal recordings."""

FRAME_RATE = 90
"""Rendered pictures per second."""

_LABEL_EVERY = 3  # pictures: labels at 30 Hz, as eTraM's
_SPLITS = ('train', 'val')
_RECIPE = 'recipe.json'
_FULL_WIDTH = 1280  # limits in pixels hold for a sensor of this width

BOX = np.dtype(
    [
        *[('t', '<i8'), ('x', '<f4'), ('y', '<f4'), ('w', '<f4'), ('h', '<f4')],
        *[('class_id', '<u4'), ('track_id', '<u4'), ('class_confidence', '<f4')],
    ]
)
"""A label: time in µs, top-left corner and size in pixels of the sensor."""


@dataclass(frozen=True)
class EventRecipe:
    """All that decides what a set of recordings contains.

    Args:
        train, val: number of recordings; each shows another street.
        seconds: length of each.
        width, height: of the sensor, pixels; smaller ones see the same in less detail.
        seed: of everything random.

    Raises:
        UserError: for values that make no recordings.
    """

    train: int = 16
    val: int = 6
    seconds: float = 4.0
    width: int = 1280
    height: int = 720
    seed: int = 0

    def __post_init__(self) -> None:
        for name in _SPLITS:
            if getattr(self, name) < 1:
                raise UserError(f'--{name} {getattr(self, name)}: at least one is needed.')
        if not 0.5 <= self.seconds <= 600:
            raise UserError(f'--seconds {self.seconds}: recordings last 0.5 to 600 seconds.')
        for side in (self.width, self.height):
            if not 64 <= side <= 4096:
                raise UserError(
                    f'--size {self.width}x{self.height}: both sides must be 64 to 4096 pixels.'
                )
        if self.seed < 0:
            raise UserError(f'--seed {self.seed}: it must not be negative.')

    @property
    def info(self) -> dict:
        """What stands in ``recipe.json``."""
        return dict(description=GENERATOR, version=VERSION, arguments=asdict(self))

    @property
    def recordings(self) -> list[tuple[str, int]]:
        """Split and number of every recording."""
        return [(split, i) for split in _SPLITS for i in range(getattr(self, split))]


def prepare(
    out_dir: Path,
    recipe: EventRecipe,
    workers: int = 1,
    overwrite: bool = False,
    progress: Callable[[str], None] = print,
) -> bool:
    """Makes sure that ``out_dir`` holds the recordings of this recipe; see ``prepare_folder``.

    Args:
        workers: how many recordings are made at a time, each in a process of its own.
    """
    return prepare_folder(
        out_dir,
        recipe.info,
        _read_info,
        lambda folder: is_complete(folder, recipe),
        lambda folder: _write(folder, recipe, workers, progress),
        overwrite,
        progress,
    )


def _write(
    folder: Path, recipe: EventRecipe, workers: int, progress: Callable[[str], None]
) -> None:
    for split in _SPLITS:
        (folder / split).mkdir()
    with multiprocessing.get_context('fork').Pool(
        min(workers, len(recipe.recordings)), initializer=cv2.setNumThreads, initargs=(1,)
    ) as pool:
        written = pool.imap(partial(_write_numbered, folder, recipe), recipe.recordings)
        for stem, (events, boxes) in zip(recipe.recordings, written, strict=True):
            progress(f'{_name(*stem)}: {events / 1e6:.1f} M events, {boxes} boxes')
    (folder / _RECIPE).write_text(json.dumps(recipe.info))


def _name(split: str, number: int) -> str:
    return f'{split}/street_{number:03d}'


def _write_numbered(
    folder: Path, recipe: EventRecipe, recording: tuple[str, int]
) -> tuple[int, int]:
    split, number = recording
    seed = (recipe.seed, 7, _SPLITS.index(split), number)
    scene = TrafficScene(seed, (recipe.width, recipe.height))
    begin = liveliest_moment(scene, recipe.seconds)
    return write_recording(folder / _name(split, number), scene, begin, recipe.seconds, seed)


def write_recording(
    stem: Path,
    scene: TrafficScene,
    begin: float,
    seconds: float,
    seed: int | Sequence[int],
    sensor: EventSensor = EventSensor(),  # noqa: B008  it cannot be changed
) -> tuple[int, int]:
    """Write ``STEM_td.h5`` and ``STEM_bbox.npy``.

    Args:
        stem: path without the endings.
        scene: what the camera sees.
        begin: time of the scene at which the recording begins, s.
        seconds: how long it is.
        seed: of the camera's noise.
        sensor: the camera.

    Returns:
        Numbers of events and of boxes.
    """
    rng = np.random.default_rng(seed)
    width, height = scene.camera.size
    annotator = Annotator(width)
    boxes = []
    with h5py.File(f'{stem}_td.h5', 'w') as file:
        group = file.create_group('events')
        group['height'], group['width'] = height, width
        compression = hdf5plugin.Blosc(cname='zstd', clevel=1, shuffle=hdf5plugin.Blosc.SHUFFLE)
        columns = {
            name: group.create_dataset(
                name, (0,), dtype, chunks=(1 << 16,), maxshape=(None,), **compression
            )
            for name, dtype in (('x', '<u2'), ('y', '<u2'), ('p', 'u1'), ('t', '<i8'))
        }
        count = 0
        for frame, (t_us, events, sprites) in enumerate(
            film(scene, begin, seconds, FRAME_RATE, sensor, rng)
        ):
            for name, column in columns.items():
                column.resize(count + len(events), axis=0)
                column[count:] = events[name]
            count += len(events)
            if frame % _LABEL_EVERY == 0:
                boxes += annotator.label(t_us, scene.describe(sprites))
    np.save(f'{stem}_bbox.npy', np.array(boxes, BOX))
    return count, len(boxes)


class Annotator:
    """Labels what has been seen to move: of the rest the events tell nothing.

    Whoever has moved keeps the label while standing. Small and hidden objects get none.

    Args:
        width: of the sensor, pixels.
    """

    def __init__(self, width: int) -> None:
        scale = width / _FULL_WIDTH
        self._min_side = MIN_SIDE * scale
        self._moved = 2.0 * scale  # pixels that an edge has to move to be seen moving
        self._first: dict[int, np.ndarray] = {}
        self._noticed: set[int] = set()

    def label(self, t_us: int, objects: Sequence[SceneObject]) -> list[tuple]:
        """Rows of :data:`BOX` for the objects in view."""
        rows = []
        for item in objects:
            box = np.array(item.box)
            first = self._first.setdefault(item.track_id, box)
            if np.abs(box - first).max() >= self._moved:
                self._noticed.add(item.track_id)
            x1, y1, x2, y2 = item.box
            if item.track_id not in self._noticed or item.visible < MIN_VISIBLE:
                continue
            if min(x2 - x1, y2 - y1) >= self._min_side:
                rows.append((t_us, x1, y1, x2 - x1, y2 - y1, item.class_id, item.track_id, 1.0))
        return rows


def liveliest_moment(scene: TrafficScene, seconds: float, until: float = 60.0) -> float:
    """When to begin so that most of the traffic moves first and stands later, s.

    A recording is to show both: an object that never moves is not seen, and one that never stops
    needs no memory.
    """

    def score(begin: float) -> float:
        total = 0.0
        times = begin + np.arange(0, seconds, 0.25)
        for lane in scene.lanes:
            way = np.array([lane.flow.distance(t) for t in times.tolist()])
            speed = np.diff(way) / lane.flow.speed / 0.25
            moves = speed[: max(1, len(speed) // 4)].mean()
            stands = (speed[len(speed) // 4 :] == 0).mean()
            total += len(lane.travellers) * moves * (0.2 + min(stands, 0.5))
        return total

    return max(np.arange(0.0, until, 0.5).tolist(), key=score)


def is_complete(out_dir: Path, recipe: EventRecipe) -> bool:
    """Whether the folder holds exactly these recordings."""
    names = [out_dir / _name(*recording) for recording in recipe.recordings]
    files = [f'{name}{ending}' for name in names for ending in ('_td.h5', '_bbox.npy')]
    return _read_info(out_dir) == recipe.info and all(map(os.path.isfile, files))


def _read_info(out_dir: Path) -> dict:
    try:
        info = json.loads((out_dir / _RECIPE).read_text())
    except (OSError, ValueError):
        return {}
    return info if isinstance(info, dict) else {}
