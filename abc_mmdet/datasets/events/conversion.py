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
from .labels import BOX, BoxFilter, FrameTimes, count_boxes, even_windows, frame_times, total
from .layouts import LAYOUTS, Labels, Source
from .recording import Recording
from .rvt_layout import write_sequence
from .stacked_histogram import StackedHistogram

SETTINGS = 'abc_conversion.json'
"""Beside RVT's folders of a recording: how it was converted, and what was found."""

VERSION = '1.1'
"""Changes whenever equal settings no longer give equal files."""

_PARTIAL = '.partial-conversion-'
_BESIDE = 20
"""One of so many labelled frames may lie before the first or after the last event."""


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
        ``labelled_empty`` without any event and ``labelled_without_boxes``; ``events``, of these
        ``events_outside`` of the sensor and ``events_between`` windows, ``times_corrected``.

    Raises:
        NoLabelsLeft: no label is left after the filter.
        UserError: files that are missing, damaged, empty or do not belong together, or times that
            cannot be put in order.
    """
    dataset, layout = CATALOGUE[settings.dataset], LAYOUTS[settings.dataset]
    histogram = settings.histogram
    folder = out_dir / source.split / source.name
    # What is missing is named before anything is read
    if source.boxes is not None and not source.events.is_file():
        raise UserError(f'{source.events} is missing: there are labels without events.')
    window_us = histogram.window_ms * 1000
    labels, recording = layout.read(source, dataset, window_us, settings.size)

    dropped: dict[str, dict] = {}
    if labels is None:
        windows = even_windows(*recording.time_span(), settings.step_ms * 1000)
        nothing = np.empty(0, np.int64)
        times, kept = FrameTimes(nothing, windows, nothing), np.empty(0, BOX)
    else:
        is_train = source.split == 'train'
        box_filter = BoxFilter(settings.box_filter, dataset, recording.size, is_train, dropped)
        try:
            times, kept = _labelled_frames(labels, box_filter, settings.step_ms * 1000)
        except UserError as error:
            raise type(error)(f'{source.boxes}: {error}') from error

    num_per_window: list[int] = []

    def representations() -> Iterator[np.ndarray]:
        for events in recording.windows(times.windows_us, window_us):
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
            boxes_read=0 if labels is None else len(labels.boxes),
            dropped=dropped,
            labelled=len(num_per_frame),
            labelled_empty=int((num_per_frame == 0).sum()),
            labelled_without_boxes=len(np.setdiff1d(times.frames_us, kept['t'])),
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
    labels: Labels, box_filter: BoxFilter, step_us: int
) -> tuple[FrameTimes, np.ndarray]:
    """Times of a recording, and the boxes of its labelled frames.

    A frame all of whose boxes are left out is none, and not one without objects.
    """
    dataset, boxes = box_filter.dataset, labels.boxes
    kept = box_filter(boxes)
    if not len(kept):
        reasons = ', '.join(f'{why}: {total(counts)}' for why, counts in box_filter.dropped.items())
        raise NoLabelsLeft(f'no label is left of {len(boxes)} ({reasons or "the file is empty"}).')
    first_us = dataset.first_frame_ms * 1000
    if not (kept['t'] >= first_us).any():
        raise NoLabelsLeft(f'there is no label at or after {dataset.first_frame_ms} ms.')
    labelled = np.unique(kept['t'])
    if labels.frames_us is not None:
        labelled = np.union1d(labelled, np.setdiff1d(labels.frames_us, boxes['t']))
    times = frame_times(
        labelled, dataset.name == 'gen1', step_us, dataset.frame_ms * 1000, first_us
    )
    at_frame = np.isin(kept['t'], times.frames_us)
    return times, box_filter.keep(kept, at_frame, 'between the labelled frames')
