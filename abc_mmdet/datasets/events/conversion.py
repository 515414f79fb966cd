"""From one recording to RVT's layout."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np

from abc_mmdet.errors import UserError

from .boxes import BoxFilter, count_boxes, read_boxes
from .catalogue import CATALOGUE
from .frame_times import FrameTimes, even_windows, frame_times
from .recording import CAMERA_FILES, Recording
from .rvt_layout import write_sequence
from .stacked_histogram import StackedHistogram

SETTINGS = 'abc_conversion.json'
"""Beside RVT's folders of a recording: how it was converted, and what was found."""

EVENT_ENDINGS = ('_td.dat.h5', '_td.h5', *CAMERA_FILES)
BOX_ENDING = '_bbox.npy'
_PARTIAL = '.partial'
_UNLABELLED = np.dtype(
    [*[(name, '<f4') for name in 'xywh'], ('t', '<i8'), ('class_id', '<u4'), ('track_id', '<u4')]
)


@dataclass(frozen=True)
class ConversionSettings:
    """All that decides what a recording becomes.

    Args:
        dataset: name in the catalogue: classes, sensor size and RVT's rules.
        histogram: the representation.
        box_filter: which boxes are kept, see :class:`BoxFilter`.
        step_ms: distance of two windows.
        size: width and height of the sensor; None takes them from the file or the catalogue.
    """

    dataset: str = 'etram'
    histogram: StackedHistogram = field(default_factory=StackedHistogram)
    box_filter: str = 'clip'
    step_ms: int = 50
    size: tuple[int, int] | None = None

    def to_json(self) -> dict:
        """As it stands in :data:`SETTINGS`."""
        return json.loads(json.dumps(asdict(self)))


@dataclass(frozen=True)
class Source:
    """A recording to convert.

    Args:
        name: of the recording.
        split: ``train``, ``val`` or ``test``.
        events: its file.
        boxes: file of its labels; None for a recording without.
    """

    name: str
    split: str
    events: Path
    boxes: Path | None


def find_sources(folder: Path, splits: tuple[str, ...]) -> list[Source]:
    """Recordings below ``FOLDER/{train,val,test}``.

    Boxes without events and events without boxes are found, too: they are reported when their
    turn comes.

    Raises:
        UserError: no such folder, or none of the splits in it.
    """
    if not folder.is_dir():
        raise UserError(f'{folder} does not exist (from {Path.cwd()}).')
    there = [split for split in splits if (folder / split).is_dir()]
    if not there:
        raise UserError(
            f'{folder} has none of the folders {", ".join(splits)}. Put the recordings of each '
            'split into one, or name recordings themselves instead of a folder.'
        )
    sources = []
    for split in there:
        files = {path.name: path for path in sorted((folder / split).iterdir())}
        for name in sorted({_stem(name) for name in files} - {''}):
            events = [files[name + e] for e in EVENT_ENDINGS if name + e in files]
            expected = folder / split / f'{name}_td.h5'
            boxes = folder / split / f'{name}{BOX_ENDING}'
            sources.append(Source(name, split, events[0] if events else expected, boxes))
    if not sources:
        raise UserError(f'{folder}: there are no recordings (*_td.h5 and *{BOX_ENDING}) in it.')
    return sources


def _stem(file_name: str) -> str:
    for ending in (*EVENT_ENDINGS, BOX_ENDING):
        if file_name.endswith(ending):
            return file_name.removesuffix(ending)
    return ''


def is_converted(folder: Path, settings: ConversionSettings) -> bool:
    """Whether the recording lies there complete, converted with these settings."""
    return read_settings(folder).get('settings') == settings.to_json()


def read_settings(folder: Path) -> dict:
    """What stands in :data:`SETTINGS`; empty if there is none."""
    try:
        return json.loads((folder / SETTINGS).read_text())
    except (OSError, ValueError):
        return {}


def partial_folder(folder: Path) -> Path:
    """Where a recording is written until it is complete."""
    return folder.with_name(f'.{folder.name}{_PARTIAL}')


def remove_partial_folders(split_folder: Path) -> int:
    """Clear away what killed runs have left; returns how many."""
    left = list(split_folder.glob(f'.*{_PARTIAL}'))
    for path in left:
        shutil.rmtree(path)
    return len(left)


def convert(source: Source, out_dir: Path, settings: ConversionSettings) -> dict:
    """Convert a recording; it appears under its name when it is complete.

    Returns:
        What was found: ``boxes`` by class and size, ``dropped`` boxes by reason, ``labelled``
        frames, ``windows``, ``events``, ``events_outside``, ``times_corrected``.

    Raises:
        UserError: files that are missing, damaged, empty or do not belong together.
    """
    dataset = CATALOGUE[settings.dataset]
    folder = out_dir / source.split / source.name
    # What is missing is named before anything is read
    if source.boxes is not None and not source.events.is_file():
        raise UserError(f'{source.events} is missing: there are labels without events.')
    boxes = None if source.boxes is None else read_boxes(source.boxes, dataset.classes)
    camera = source.events.suffix in CAMERA_FILES
    recording = Recording(source.events, settings.size, None if camera else dataset.size)

    if boxes is None:
        first, last = recording.time_span()
        windows = even_windows(first, last, settings.step_ms * 1000)
        nothing = np.empty(0, np.int64)
        times = FrameTimes(nothing, windows, nothing)
        kept, dropped, read = np.empty(0, _UNLABELLED), {}, 0
    else:
        box_filter = BoxFilter(
            settings.box_filter, dataset, recording.size, source.split == 'train'
        )
        read = len(boxes)
        kept = box_filter(boxes)
        dropped = box_filter.dropped
        if not len(kept):
            raise UserError(f'{source.boxes}: no label is left of {read}: {dropped or "empty"}.')
        try:
            times = frame_times(
                np.unique(kept['t']), dataset.name == 'gen1', settings.step_ms * 1000
            )
        except UserError as error:
            raise UserError(f'{source.boxes}: {error}') from error

    partial = partial_folder(folder)
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    try:
        histogram, num_used = settings.histogram, 0

        def representations() -> Iterator[np.ndarray]:
            nonlocal num_used
            length = histogram.window_ms * 1000
            for x, y, p, t in recording.windows(times.windows_us, length):
                num_used += len(t)
                yield histogram(x, y, p, t, recording.size)

        write_sequence(
            partial,
            histogram.name,
            histogram.file_name,
            histogram.shape(recording.size),
            representations(),
            times,
            kept,
        )
        if num_used == 0:
            raise UserError(
                f'{source.events}: no event lies in a window of the labels '
                f'({recording.num_events} events in all): times that do not overlap, or an empty '
                'recording.'
            )
        at_frames = kept[np.isin(kept['t'], times.frames_us)]
        found = dict(
            boxes=count_boxes(at_frames, dataset.classes),
            boxes_read=read,
            boxes_between_frames=len(kept) - len(at_frames),
            dropped=dropped,
            labelled=len(times.frames_us),
            windows=len(times.windows_us),
            events=recording.num_events,
            events_outside=recording.num_outside,
            times_corrected=recording.num_late,
        )
        (partial / SETTINGS).write_text(json.dumps(dict(settings=settings.to_json(), found=found)))
        if folder.exists():
            shutil.rmtree(folder)
        os.rename(partial, folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return found
