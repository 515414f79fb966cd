"""Synthetic event recordings on disk, as eTraM's come: ``NAME_td.h5`` and ``NAME_bbox.npy``."""

from __future__ import annotations

import json
import math
import multiprocessing
import os
import signal
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import cv2
import h5py
import hdf5plugin
import numpy as np

from abc_mmdet.datasets.hdf5 import failed_writes
from abc_mmdet.errors import UserError

from .coco_export import MIN_SIDE, MIN_VISIBLE
from .event_camera import EventSensor, video
from .folder import SPLITS, BaseRecipe, prepare_folder
from .traffic_scene import SceneObject, TrafficScene

GENERATOR = 'abc_mmdet synthetic events'
VERSION = '2.0'
"""Changes whenever equal arguments no longer give equal recordings."""

FRAME_RATE = 90
"""Rendered images per second."""

_LABEL_EVERY = 3  # images: labels at 30 Hz, as eTraM's
_FULL_WIDTH = 1280  # limits in pixels hold for a sensor of this width
_RECIPE = 'recipe.json'

BOX = np.dtype(
    [
        *[('t', '<i8'), ('x', '<f4'), ('y', '<f4'), ('w', '<f4'), ('h', '<f4')],
        *[('class_id', '<u4'), ('track_id', '<u4'), ('class_confidence', '<f4')],
    ]
)
"""A label: time in µs, top-left corner and size in pixels of the sensor."""


@dataclass(frozen=True)
class EventRecipe(BaseRecipe):
    """All that decides what a set of recordings contains: :class:`BaseRecipe` and ``seconds``.

    Args:
        seconds: length of each recording.

    Examples:
        >>> EventRecipe(train=1, val=1).recordings
        [('train', 0), ('val', 0)]
    """

    train: int = 34
    val: int = 6
    width: int = 1280
    height: int = 720
    seed: int = 0
    seconds: float = 2.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0.5 <= self.seconds <= 600:
            raise UserError(f'--seconds {self.seconds}: recordings last 0.5 to 600 seconds.')

    @property
    def recordings(self) -> list[tuple[str, int]]:
        """Split and number of every recording."""
        return [(split, i) for split in SPLITS for i in range(getattr(self, split))]


class Annotator:
    """Labels what has been seen to move: of the rest the events tell nothing.

    Whoever has moved keeps the label while standing. Small and hidden objects get none.

    Args:
        width: of the sensor, pixels.

    Examples:
        >>> annotator = Annotator(width=1280)
        >>> annotator.label(0, [SceneObject(1, 0, (0, 0, 9, 9), visible=1.0)])
        []
        >>> len(annotator.label(50_000, [SceneObject(1, 0, (5, 0, 14, 9), visible=1.0)]))
        1
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
        recipe.info(GENERATOR, VERSION),
        _read_info,
        lambda folder: is_complete(folder, recipe),
        lambda folder: _write(folder, recipe, workers, progress),
        overwrite,
        progress,
    )


def _write(
    folder: Path, recipe: EventRecipe, workers: int, progress: Callable[[str], None]
) -> None:
    for split in SPLITS:
        (folder / split).mkdir()
    workers = min(workers, len(recipe.recordings))
    # Never in this process, which would not survive HDF5 on a full disk, nor forked from it, which
    # may have threads: OpenCV would hang
    with multiprocessing.get_context('forkserver').Pool(workers, _quiet_worker) as pool:
        written = pool.imap(partial(_write_numbered, folder, recipe), recipe.recordings)
        for recording, (events, boxes) in zip(recipe.recordings, written, strict=True):
            progress(f'{_name(*recording)}: {events / 1e6:.1f} M events, {boxes} boxes')
    (folder / _RECIPE).write_text(json.dumps(recipe.info(GENERATOR, VERSION)))


def _quiet_worker() -> None:
    cv2.setNumThreads(1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the main process ends its workers
    signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _name(split: str, number: int) -> str:
    return f'{split}/street_{number:03d}'


def _write_numbered(
    folder: Path, recipe: EventRecipe, recording: tuple[str, int]
) -> tuple[int, int]:
    split, number = recording
    seed = (recipe.seed, 7, SPLITS.index(split), number)
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

    Raises:
        OSError: the files cannot be written.
    """
    rng = np.random.default_rng(seed)
    width, height = scene.camera.size
    annotator = Annotator(width)
    boxes = []
    with failed_writes(), h5py.File(f'{stem}_td.h5', 'w') as file:
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
            video(scene, begin, seconds, FRAME_RATE, sensor, rng)
        ):
            for name, column in columns.items():
                column.resize(count + len(events), axis=0)
                column[count:] = events[name]
            count += len(events)
            if frame % _LABEL_EVERY == 0:
                boxes += annotator.label(t_us, scene.describe(sprites))
    np.save(f'{stem}_bbox.npy', np.array(boxes, BOX))
    return count, len(boxes)


def liveliest_moment(scene: TrafficScene, seconds: float, until: float = 60.0) -> float:
    """When to begin so that most of the traffic moves first and stands later, s.

    A recording is to show both: an object that never moves is not seen, and one that never stops
    needs no memory.
    """

    step, number = 0.25, math.ceil(seconds / 0.25)
    times = np.arange(0, until + seconds, step).tolist()
    ways = [np.array([lane.flow.distance(t) for t in times]) for lane in scene.lanes]

    def score(begin: float) -> float:
        total = 0.0
        first = round(begin / step)
        for lane, way in zip(scene.lanes, ways, strict=True):
            speed = np.diff(way[first : first + number]) / lane.flow.speed / step
            moves = speed[: max(1, len(speed) // 4)].mean()
            stands = (speed[len(speed) // 4 :] == 0).mean()
            total += len(lane.travellers) * moves * (0.2 + min(stands, 0.5))
        return total

    return max(np.arange(0.0, until, 2 * step).tolist(), key=score)


def is_complete(out_dir: Path, recipe: EventRecipe) -> bool:
    """Whether the folder holds exactly these recordings."""
    names = [out_dir / _name(*recording) for recording in recipe.recordings]
    files = [f'{name}{ending}' for name in names for ending in ('_td.h5', '_bbox.npy')]
    return _read_info(out_dir) == recipe.info(GENERATOR, VERSION) and all(
        map(os.path.isfile, files)
    )


def _read_info(out_dir: Path) -> dict:
    try:
        info = json.loads((out_dir / _RECIPE).read_text())
    except (OSError, ValueError):
        return {}
    return info if isinstance(info, dict) else {}
