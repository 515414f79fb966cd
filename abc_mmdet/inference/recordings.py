"""Detection in event recordings: drawn videos and lists of what was found."""

from __future__ import annotations

import glob
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import h5py

from abc_mmdet.datasets.events.readers import READERS, open_reader
from abc_mmdet.datasets.events.rvt_layout import REPRESENTATIONS
from abc_mmdet.errors import UserError, backslash_hint
from abc_mmdet.visualization import ImageSink

from .detection_files import DetectionFiles
from .event_sources import SourceOptions
from .predict import Outcome, Run
from .sources import Source, collect
from .stream_statistics import StreamStatistics
from .tracking import Place, Tracking
from .window_inferencer import WindowInferencer

_ANYTHING = ('.npy', '.npz')  # may hold what they will, so they have to be named


def find_recordings(inputs: Sequence[str], leave_out: Path | None = None) -> list[Source]:
    """Event recordings: files, and folders in RVT's layout.

    Args:
        inputs: files, folders in RVT's layout, folders of such (with all below them; of these
            ``.npy`` and ``.npz`` are left out) and patterns.
        leave_out: a folder not to look into: that of the results.

    Raises:
        UserError: an input that does not exist, or stands for no recording.
    """
    nothing = (
        f"there is no event recording in it ({', '.join(READERS)}, or folders in RVT's layout)."
    )
    return collect(inputs, _expand, nothing, leave_out)


def _expand(given: str) -> tuple[Path, list[Path]]:
    path = Path(given)
    if path.is_file() or _is_in_rvt_layout(path):
        return path.parent, [path]
    if path.is_dir():
        return path, sorted(_below(path))
    if not glob.has_magic(given):
        raise UserError(f'{given} does not exist.{backslash_hint(given)}')
    paths = sorted(Path(p) for p in glob.glob(given, recursive=True))
    paths = [p for p in paths if _is_in_rvt_layout(p) or p.suffix.lower() in READERS]
    return (Path(os.path.commonpath([p.parent for p in paths])) if paths else path), paths


def _is_in_rvt_layout(path: Path) -> bool:
    return (path / REPRESENTATIONS).is_dir()


def _below(folder: Path) -> Iterator[Path]:
    for path in folder.iterdir():
        kind = path.suffix.lower()
        if path.name.startswith('.'):
            continue
        if path.is_dir():
            yield from [path] if _is_in_rvt_layout(path) else _below(path)
        elif kind in ('.h5', '.hdf5'):
            yield from [path] if _has_events(path) else []
        elif kind in READERS and kind not in _ANYTHING:
            yield path


def _has_events(path: Path) -> bool:
    """Calibrations and labels lie beside recordings; damaged files are reported later."""
    try:
        with h5py.File(path) as file:
            return 'events' in file or 'CD' in file
    except OSError:
        return True


@dataclass
class RecordingOutcome(Outcome):
    """What became of the recordings.

    Attributes:
        streams: name and counts of each that was opened.
    """

    streams: list[tuple[str, StreamStatistics]] = field(default_factory=list)


def check_recordings(sources: Sequence[Source], options: SourceOptions) -> dict[Source, str]:
    """Which recordings cannot be opened, and why; before a network is loaded.

    Raises:
        UserError: none of them can.
    """
    failures = {}
    for source in sources:
        try:
            source.check_name()
            if not source.path.is_dir():
                open_reader(source.path, options.size, options.time_unit)
        except UserError as error:
            failures[source] = str(error)
    if len(failures) == len(sources):
        raise UserError('\n'.join(failures.values()))
    return failures


def detect_recordings(
    inferencer: WindowInferencer,
    sources: Sequence[Source],
    out: Path,
    score_thr: float = 0.3,
    advance: Callable[[int], Any] = lambda number: None,
    tracking: Tracking | None = None,
    options: SourceOptions | None = None,
) -> RecordingOutcome:
    """Draw what is found in event recordings, and list it (:class:`DetectionFiles`).

    Each becomes a video ``out/images/NAME.mp4`` in real time, one image per window. Of a recording
    that is damaged there is what lies before.

    Args:
        inferencer: from events to detections.
        sources: what to read, of :func:`find_recordings`.
        out: folder of the results.
        score_thr: detections below are neither drawn nor listed.
        advance: told how many windows were done, now and then.
        tracking: give objects the same number in all windows.
        options: how files are read.

    Raises:
        UserError: ``out`` cannot be written to.
    """
    options = options or SourceOptions()
    run = Run(
        out=out,
        score_thr=score_thr,
        files=DetectionFiles(out, inferencer.classes),
        advance=advance,
        tracking=tracking,
        places={source: Place(source.name) for source in sources},
        outcome=RecordingOutcome(),
    )
    try:
        for source in sources:
            with run.outcome.naming(source):
                _detect(inferencer, source, run, options)
            run.files.write_now_and_then()
    finally:
        run.end()
    assert isinstance(run.outcome, RecordingOutcome)
    return run.outcome


def _detect(inferencer: WindowInferencer, source: Source, run: Run, options: SourceOptions) -> None:
    failures_before = len(run.outcome.failures)
    stream = inferencer(source.path, **asdict(options))
    assert isinstance(run.outcome, RecordingOutcome)
    run.outcome.streams.append((source.name, stream.statistics))
    drawn = run.out / 'images' / f'{source.name}.mp4'
    fps = 1000 / stream.statistics.step_ms
    try:
        # What goes wrong inside is named inside, so that the video is closed with what was done
        with ImageSink(drawn, fps) as sink, run.outcome.naming(source):
            for found in stream:
                place = replace(run.places[source], number=found.number)
                chosen = run.chosen(found, place)
                name = f'{source.name}/{found.number:06d}.jpg'
                sink.add(name, chosen.draw_with_time(source.path.name, 0))
                run.files.add(
                    name,
                    chosen,
                    video=source.name,
                    number=found.number,
                    timestamp_us=found.time_us,
                    latency_ms=round(found.latency_ms, 2),
                )
                run.advance(1)
                run.files.write_now_and_then()
    finally:
        run.files.recordings.append(dict(name=source.name, **stream.statistics.to_json()))
    if not stream.statistics.windows and len(run.outcome.failures) == failures_before:
        raise UserError(f'{source.shown}: the recording has no events.')
