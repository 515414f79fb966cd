"""Synthetic event recordings on disk, as eTraM's come: ``NAME_td.h5`` and ``NAME_bbox.npy``."""

from __future__ import annotations

import json
import math
import multiprocessing
import os
import signal
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import cv2
import h5py
import hdf5plugin
import numpy as np

from abc_mmdet.datasets.hdf5 import failed_writes
from abc_mmdet.errors import UserError

from .annotator import BOX, Annotator
from .event_camera import EventSensor, video
from .prepared_folder import prepare_folder
from .traffic_scene import TrafficScene

GENERATOR = 'abc_mmdet synthetic events'
VERSION = '1.0'
"""Changes whenever equal arguments no longer give equal recordings."""

FRAME_RATE = 90
"""Rendered images per second."""

_LABEL_EVERY = 3  # images: labels at 30 Hz, as eTraM's
_SPLITS = ('train', 'val')
_RECIPE = 'recipe.json'


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

    train: int = 34
    val: int = 6
    seconds: float = 2.0
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
    workers = min(workers, len(recipe.recordings))
    # Never in this process, which would not survive HDF5 on a full disk, nor forked from it, which
    # may have threads: OpenCV would hang
    with multiprocessing.get_context('forkserver').Pool(workers, _quiet_worker) as pool:
        written = pool.imap(partial(_write_numbered, folder, recipe), recipe.recordings)
        for recording, (events, boxes) in zip(recipe.recordings, written, strict=True):
            progress(f'{_name(*recording)}: {events / 1e6:.1f} M events, {boxes} boxes')
    (folder / _RECIPE).write_text(json.dumps(recipe.info))


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
    return _read_info(out_dir) == recipe.info and all(map(os.path.isfile, files))


def _read_info(out_dir: Path) -> dict:
    try:
        info = json.loads((out_dir / _RECIPE).read_text())
    except (OSError, ValueError):
        return {}
    return info if isinstance(info, dict) else {}
