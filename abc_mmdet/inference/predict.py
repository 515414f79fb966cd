"""Detection in files: drawn images, videos and lists of what was found."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from abc_mmdet.datasets.hdf5 import NO_ROOM
from abc_mmdet.errors import UserError
from abc_mmdet.utils.image_files import WRITABLE
from abc_mmdet.visualization import ImageSink

from .detection_files import DetectionFiles
from .detections import AnyDetections, Detections
from .detector import ImageDetector
from .images import read_image
from .sources import Source, Video
from .tracking import Place, SequenceTracker, Tracking, in_sequences


@dataclass
class Outcome:
    """What became of the files.

    Attributes:
        images, detections: how many are in the lists, those of videos included.
        tracks: how many objects these are of; None if they were not tracked.
        best_score: of all that was detected, listed or not; 0 if nothing was.
        failures: one message per file that was not done, or not to its end.
        dark: one message per image of 16 bits that the network gets nearly black.
    """

    images: int = 0
    detections: int = 0
    tracks: int | None = None
    best_score: float = 0.0
    failures: list[str] = field(default_factory=list)
    dark: list[str] = field(default_factory=list)

    @contextmanager
    def naming(self, source: Source) -> Iterator[None]:
        """What goes wrong inside is said of this file, and the others are done all the same.

        A full disk is no fault of a file, and stops.
        """
        try:
            yield
        except Exception as error:
            if getattr(error.__cause__ or error, 'errno', None) in NO_ROOM:
                raise
            text = str(error)
            if not isinstance(error, UserError):
                text = f'{type(error).__name__}: {text.strip().partition(chr(10))[0]}'
            self.failures.append(text if source.shown in text else f'{source.shown}: {text}')


def detect_files(
    detector: ImageDetector,
    sources: Sequence[Source],
    out: Path,
    score_thr: float = 0.3,
    advance: Callable[[int], Any] = lambda number: None,
    tracking: Tracking | None = None,
) -> Outcome:
    """Draw what is found in images and videos, and list it (:class:`DetectionFiles`).

    Drawn images lie below ``out/images`` under their own names, videos there as ``.mp4``. A
    file that cannot be read, detected in or drawn is left out, and of a video that is cut off there
    is what could be read. The lists are written now and then, and when it ends, however it ends.

    Args:
        detector: from images to detections.
        sources: what to read.
        out: folder of the results.
        score_thr: detections below are neither drawn nor listed.
        advance: told how many images were done, now and then.
        tracking: give objects of videos, and of the images of a folder, the same number in all
            images; drawn and listed is then what is of a track. An image that is left out counts
            in the numbers of images.

    Raises:
        UserError: ``out`` cannot be written to, or what is drawn would replace one of the sources.
    """
    _check_places(sources, out)
    places = {} if tracking is None else in_sequences(sources)
    sources = list(places) or sources
    files = DetectionFiles(out, detector.classes)
    run = _ImageRun(
        detector=detector,
        out=out,
        score_thr=score_thr,
        files=files,
        advance=advance,
        tracking=tracking,
        places=places,
    )
    try:
        for is_video, batch in _batches(sources, detector.batch_size):
            if is_video:
                run.video(batch[0])
            else:
                run.images(batch)
                advance(len(batch))
            run.files.write_now_and_then()
    finally:
        outcome = run.end()
    return outcome


def _check_places(sources: Sequence[Source], out: Path) -> None:
    originals = {source.path.resolve() for source in sources}
    drawn: dict[Path, Source] = {}
    for source in sources:
        other = drawn.setdefault(_drawn(out, source), source)
        if other is not source:
            raise UserError(
                f'{other.shown} and {source.shown} would both be drawn as {_drawn(out, source)}: '
                'rename one of them.'
            )
        if _drawn(out, source).resolve() in originals:
            raise UserError(
                f'{_drawn(out, source)} is one of the inputs, and {source.path} drawn would '
                'replace it: choose another folder for the results.'
            )


@dataclass(kw_only=True)
class Run:
    """What images, videos and recordings have in common; fields as of :func:`detect_files`."""

    out: Path
    score_thr: float
    files: DetectionFiles
    advance: Callable[[int], Any]
    tracking: Tracking | None
    places: dict[Source, Place]
    outcome: Outcome = field(default_factory=Outcome)
    tracker: tuple[str, SequenceTracker] | None = None

    def chosen(self, found: AnyDetections, place: Place | None) -> AnyDetections:
        """What is drawn and listed: what is good enough, or of a track."""
        self.outcome.best_score = max(self.outcome.best_score, *found.scores[:1].tolist(), 0.0)
        if self.tracking is None or place is None:
            return found.above(self.score_thr)
        if self.tracker is None or self.tracker[0] != place.sequence:
            self.tracker = place.sequence, SequenceTracker(self.tracking)
        return self.tracker[1](found, place.number)

    def end(self) -> Outcome:
        """Write the lists, and count what is in them."""
        self.files.write()
        self.outcome.images = len(self.files.images)
        self.outcome.detections = len(self.files.annotations)
        self.outcome.tracks = None if self.tracking is None else self.files.num_tracks
        return self.outcome


@dataclass(kw_only=True)
class _ImageRun(Run):
    """Images and videos."""

    detector: ImageDetector

    def images(self, sources: list[Source]) -> None:
        read: list[tuple[Source, np.ndarray]] = []
        for source in sources:
            with self.outcome.naming(source):
                source.check_name()
                read.append((source, read_image(source.path, self.outcome.dark.append)))
        try:
            found = self.detector([image for _, image in read])
        except Exception:  # of one of them; each by itself tells of which
            for source, image in read:
                with self.outcome.naming(source):
                    self._keep(source, self.detector(image))
            return
        for (source, _), each in zip(read, found, strict=True):
            with self.outcome.naming(source):
                self._keep(source, each)

    def _keep(self, source: Source, found: Detections) -> None:
        place = self.places.get(source)
        chosen = self.chosen(found, place)
        chosen.save(_drawn(self.out, source), 0)
        fields = {} if place is None else dict(video=place.sequence, number=place.number)
        self.files.add(source.name, chosen, **fields)

    def video(self, source: Source) -> None:
        video = None
        with self.outcome.naming(source):
            source.check_name()
            video = Video(source.path)
        if video is None:
            self.advance(1)
            return
        path, number, images = PurePosixPath(source.name), 0, iter(video)
        place = self.places.get(source)
        drawn = _drawn(self.out, source)
        naming = self.outcome.naming
        # What goes wrong inside is named inside, so that the video is closed with what was done
        with naming(source), ImageSink(drawn, video.fps) as sink, naming(source):
            while batch := list(islice(images, self.detector.batch_size)):
                for found in self.detector(batch):
                    name = path / f'{number:06d}.jpg'
                    chosen = self.chosen(found, place and replace(place, number=number))
                    sink.add(name.name, chosen.draw(0))
                    sequence = place.sequence if place else source.name
                    self.files.add(str(name), chosen, video=sequence, number=number)
                    number += 1
                self.advance(len(batch))
                self.files.write_now_and_then()
            video.check_end()


def _batches(sources: Sequence[Source], size: int) -> Iterator[tuple[bool, list[Source]]]:
    """Videos alone, images that follow one another together."""
    batch: list[Source] = []
    for source in sources:
        if batch and (source.is_video or len(batch) == size):
            yield False, batch
            batch = []
        if source.is_video:
            yield True, [source]
        else:
            batch.append(source)
    if batch:
        yield False, batch


def _drawn(out: Path, source: Source) -> Path:
    """Where it is drawn: with another suffix where OpenCV may not write such a file, in colour."""
    if source.is_video:
        suffix = '' if source.name.endswith('.mp4') else '.mp4'
        return out / 'images' / f'{source.name}{suffix}'
    is_writable = PurePosixPath(source.name).suffix.lower() in WRITABLE
    return out / 'images' / (source.name if is_writable else f'{source.name}.jpg')
