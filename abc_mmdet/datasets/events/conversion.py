"""From one recording to RVT's layout."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np

from abc_mmdet.errors import UserError

from .catalogue import CATALOGUE
from .labels import (
    FIRST_US,
    BoxFilter,
    FrameTimes,
    count_boxes,
    even_windows,
    frame_times,
    read_boxes,
    total,
)
from .recording import CAMERA_FILES, Recording
from .rvt_layout import write_sequence
from .stacked_histogram import StackedHistogram

SETTINGS = 'abc_conversion.json'
"""Beside RVT's folders of a recording: how it was converted, and what was found."""

VERSION = '1.1'
"""Changes whenever equal settings no longer give equal files."""

EVENT_ENDINGS = ('_td.dat.h5', '_td.h5', *[f'_td{e}' for e in CAMERA_FILES], *CAMERA_FILES)
BOX_ENDING = '_bbox.npy'
_PARTIAL = '.partial-conversion-'
_BESIDE = 20
"""One of so many labelled frames may lie before the first or after the last event."""
_UNLABELLED = np.dtype(
    [*[(name, '<f4') for name in 'xywh'], ('t', '<i8'), ('class_id', '<u4'), ('track_id', '<u4')]
)


class NoLabelsLeft(UserError):
    """A recording whose labels are all left out: nothing to convert, and no mistake.

    Examples:
        >>> issubclass(NoLabelsLeft, UserError)
        True
    """


@dataclass(frozen=True)
class ConversionSettings:
    """All that decides what a recording becomes.

    Args:
        dataset: name in the catalogue: classes, sensor size and RVT's rules.
        histogram: the representation.
        box_filter: which boxes are kept, see :class:`BoxFilter`.
        step_ms: distance of two windows.
        size: width and height of the sensor; None takes them from the file or the catalogue.

    Examples:
        >>> ConversionSettings(dataset='gen1', box_filter='rvt').to_json()['step_ms']
        50
    """

    dataset: str = 'etram'
    histogram: StackedHistogram = field(default_factory=StackedHistogram)
    box_filter: str = 'clip'
    step_ms: int = 50
    size: tuple[int, int] | None = None

    def to_json(self) -> dict:
        """As it stands in :data:`SETTINGS`."""
        return dict(json.loads(json.dumps(asdict(self))), version=VERSION)


@dataclass(frozen=True)
class Source:
    """A recording to convert.

    Args:
        name: of the recording.
        split: ``train``, ``val`` or ``test``.
        events: its file.
        boxes: file of its labels; None for a recording without.

    Examples:
        >>> Source('street', 'val', Path('val/street_td.h5'), boxes=None).name
        'street'
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


def remove_partial_conversions(out_dir: Path) -> None:
    """Clear away what killed runs have left."""
    for path in out_dir.glob(f'{_PARTIAL}*'):
        shutil.rmtree(path, ignore_errors=True)


def convert(source: Source, out_dir: Path, settings: ConversionSettings) -> dict:
    """Convert a recording; it appears under its name when it is complete.

    Returns:
        Counts: ``boxes_read``, ``boxes`` that are written by class and size, ``dropped``
        ones by reason, class and size; ``windows``, of these ``labelled`` and, of those,
        ``labelled_empty`` without any event; ``events``, of these ``events_outside`` of the sensor
        and ``events_between`` windows, ``times_corrected``.

    Raises:
        NoLabelsLeft: no label is left after the filter.
        UserError: files that are missing, damaged, empty or do not belong together, or times that
            cannot be put in order.
    """
    dataset = CATALOGUE[settings.dataset]
    folder = out_dir / source.split / source.name
    # What is missing is named before anything is read
    if source.boxes is not None and not source.events.is_file():
        raise UserError(f'{source.events} is missing: there are labels without events.')
    boxes = None if source.boxes is None else read_boxes(source.boxes, dataset.classes)
    camera = source.events.suffix in CAMERA_FILES
    recording = Recording(source.events, settings.size, None if camera else dataset.size)

    dropped: dict[str, dict] = {}
    if boxes is None:
        windows = even_windows(*recording.time_span(), settings.step_ms * 1000)
        nothing = np.empty(0, np.int64)
        times, kept = FrameTimes(nothing, windows, nothing), np.empty(0, _UNLABELLED)
    else:
        is_train = source.split == 'train'
        box_filter = BoxFilter(settings.box_filter, dataset, recording.size, is_train, dropped)
        try:
            times, kept = _labelled_frames(boxes, box_filter, settings.step_ms * 1000)
        except UserError as error:
            raise type(error)(f'{source.boxes}: {error}') from error

    histogram, num_per_window = settings.histogram, []

    def representations() -> Iterator[np.ndarray]:
        for events in recording.windows(times.windows_us, histogram.window_ms * 1000):
            num_per_window.append(len(events[0]))
            yield histogram(*events, recording.size)

    out_dir.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(
        prefix=_PARTIAL, dir=out_dir, ignore_cleanup_errors=True
    ) as partial:
        written = Path(partial) / source.name
        written.mkdir()
        write_sequence(
            written,
            histogram.name,
            histogram.file_name,
            histogram.shape(recording.size),
            representations(),
            times,
            kept,
        )
        num_per_frame = np.array(num_per_window)[times.frame_steps]
        if len(num_per_frame) and not num_per_frame.any():
            raise UserError(
                f'{source.events} has no event where {source.boxes} has labels '
                f'({recording.num_events} events in all): the recording is empty, or the labels '
                'are those of another one.'
            )
        _check_times_of_labels(source, recording, times, histogram.window_ms * 1000)
        counts = dict(
            boxes=count_boxes(kept, dataset.classes),
            boxes_read=0 if boxes is None else len(boxes),
            dropped=dropped,
            labelled=len(num_per_frame),
            labelled_empty=int((num_per_frame == 0).sum()),
            windows=len(times.windows_us),
            events=recording.num_events,
            events_outside=recording.num_outside,
            events_between=(
                recording.num_events - recording.num_outside - recording.num_in_windows
            ),
            times_corrected=recording.num_late,
        )
        (written / SETTINGS).write_text(json.dumps(dict(settings=settings.to_json(), found=counts)))
        if folder.exists():
            shutil.rmtree(folder)
        folder.parent.mkdir(exist_ok=True)
        os.rename(written, folder)
    return counts


def _check_times_of_labels(
    source: Source, recording: Recording, times: FrameTimes, length_us: int
) -> None:
    """Refuse labels of times for which there are no events, before the first or after the last."""
    if not len(times.frames_us) or recording.span_us is None:
        return
    first, last = recording.span_us
    beside = int(((times.frames_us < first) | (times.frames_us - length_us > last)).sum())
    if beside * _BESIDE > len(times.frames_us):
        begin, end = times.frames_us[[0, -1]] / 1e6
        raise UserError(
            f'{source.events} has events from {first / 1e6:.1f} s to {last / 1e6:.1f} s, and '
            f'{source.boxes} labels from {begin:.1f} s to {end:.1f} s: {beside} of '
            f'{len(times.frames_us)} labelled frames would have no event. The clocks differ, or a '
            'part of the recording is missing; shift or cut the labels.'
        )


def _labelled_frames(
    boxes: np.ndarray, box_filter: BoxFilter, step_us: int
) -> tuple[FrameTimes, np.ndarray]:
    kept = box_filter(boxes)
    if not len(kept):
        reasons = ', '.join(f'{why}: {total(counts)}' for why, counts in box_filter.dropped.items())
        raise NoLabelsLeft(f'no label is left of {len(boxes)} ({reasons or "the file is empty"}).')
    if not (kept['t'] >= FIRST_US).any():
        raise NoLabelsLeft('there is no label at or after 100 ms.')
    times = frame_times(np.unique(kept['t']), box_filter.dataset.name == 'gen1', step_us)
    at_frame = np.isin(kept['t'], times.frames_us)
    return times, box_filter.keep(kept, at_frame, 'between the labelled frames')
