"""Detection in files: drawn pictures, films and lists of what was found."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from abc_mmdet.apis.detection_files import DetectionFiles
from abc_mmdet.apis.picture_detector import PictureDetector
from abc_mmdet.apis.picture_file import read_picture
from abc_mmdet.apis.picture_sources import PICTURES, Film, Source
from abc_mmdet.errors import UserError
from abc_mmdet.visualization import PictureSink


@dataclass
class Outcome:
    """What became of the files.

    Attributes:
        pictures, detections: how many are in the lists, those of films included.
        failures: one message per file that could not be read.
    """

    pictures: int = 0
    detections: int = 0
    failures: list[str] = field(default_factory=list)


def detect_files(
    detector: PictureDetector,
    sources: Sequence[Source],
    out: Path,
    score_thr: float = 0.3,
    advance: Callable[[int], Any] = lambda number: None,
) -> Outcome:
    """Draw what is found in pictures and films, and list it (:class:`DetectionFiles`).

    Drawn pictures lie below ``out/pictures`` under their own names, films there as ``.mp4``. A
    file that cannot be read is left out; so every file that is there is whole.

    Args:
        detector: from pictures to detections.
        sources: what to read.
        out: folder of the results.
        score_thr: detections below are neither drawn nor listed.
        advance: told how many pictures were done, now and then.

    Raises:
        UserError: ``out`` cannot be written to, or what is drawn would replace one of the sources.
    """
    originals = {source.path.resolve() for source in sources}
    for source in sources:
        if _drawn(out, source).resolve() in originals:
            raise UserError(
                f'{_drawn(out, source)} is one of the inputs, and {source.path} drawn would '
                'replace it: choose another folder for the results.'
            )
    files = DetectionFiles(out, detector.classes)
    outcome = Outcome()
    for is_film, batch in _batches(sources, detector.batch_size):
        if is_film:
            try:
                film = Film(batch[0].path)
            except UserError as error:
                outcome.failures.append(str(error))
                advance(1)
                continue
            _detect_film(detector, batch[0], film, out, score_thr, files, advance)
            continue
        read: list[tuple[Source, np.ndarray]] = []
        for source in batch:
            try:
                read.append((source, read_picture(source.path)))
            except UserError as error:
                outcome.failures.append(str(error))
        found = detector([picture for _, picture in read])
        for (source, _), each in zip(read, found, strict=True):
            each.save(_drawn(out, source), score_thr)
            files.add(source.name, each.above(score_thr))
        advance(len(batch))
    files.write()
    outcome.pictures, outcome.detections = len(files.images), len(files.annotations)
    return outcome


def _batches(sources: Sequence[Source], size: int) -> Iterator[tuple[bool, list[Source]]]:
    """Films alone, pictures that follow one another together."""
    batch: list[Source] = []
    for source in sources:
        if batch and (source.is_film or len(batch) == size):
            yield False, batch
            batch = []
        if source.is_film:
            yield True, [source]
        else:
            batch.append(source)
    if batch:
        yield False, batch


def _detect_film(
    detector: PictureDetector,
    source: Source,
    film: Film,
    out: Path,
    score_thr: float,
    files: DetectionFiles,
    advance: Callable[[int], Any],
) -> None:
    path = PurePosixPath(source.name)
    pictures, number = iter(film), 0
    with PictureSink(_drawn(out, source), film.fps) as sink:
        while batch := list(islice(pictures, detector.batch_size)):
            for found in detector(batch):
                name = path / f'{number:06d}.jpg'
                sink.add(name.name, found.draw(score_thr))
                files.add(str(name), found.above(score_thr), film=source.name, number=number)
                number += 1
            advance(len(batch))


def _drawn(out: Path, source: Source) -> Path:
    """Where it is drawn: with another suffix where OpenCV reads this one but may not write it."""
    if source.is_film:
        suffix = '' if source.name.endswith('.mp4') else '.mp4'
        return out / 'pictures' / f'{source.name}{suffix}'
    is_writable = PurePosixPath(source.name).suffix.lower() in PICTURES
    return out / 'pictures' / (source.name if is_writable else f'{source.name}.jpg')
