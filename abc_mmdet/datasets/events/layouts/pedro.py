"""PEDRo: samples of 40 ms, each a file of events and one of Pascal VOC's labels."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import ClassVar
from xml.etree import ElementTree

import numpy as np

from abc_mmdet.errors import UserError

from ..catalogue import EventCatalogueEntry
from ..labels import BOX, checked_boxes
from ..readers import Columns
from ..recording import Recording
from .base import Labels, Layout, Source, pixels

SAMPLE_US = 40_000
APART_US = 2_000
"""A sample that begins so long after the end of another one, or earlier, goes on from it."""

_SIDES = ('xmin', 'ymin', 'xmax', 'ymax')


class Pedro(Layout):
    """``FOLDER/numpy/{train,val,test}/NAME.npy`` with ``FOLDER/xml/{train,val,test}/NAME.xml``.

    Both files may also lie in ``FOLDER/{train,val,test}``. From PEDRo's repository
    (github.com/SSIGPRO/PEDRo-Event-Based-Dataset), its text and its samples:

    * A sample is an integer array ``(N, 4)`` of t, x, y and p (0 or 1): the events of 40 ms, the
      time from one grey image of the DAVIS346 to the next. Times are µs since 1970.
    * Not all 40 ms of a recording are among the files. What follows without a gap is one
      recording here, named like its first sample; its clock begins with its first event.
    * Boxes reach from ``(xmin, ymin)`` to ``(xmax, ymax)``, as PEDRo's own YOLO files have it.
    * Labels were drawn on the grey images. Which end of its 40 ms a sample's image belongs to is
      not said; here the labelled frame is the end of the sample.

    Examples:
        >>> for folder in ('numpy/val', 'xml/val'):
        ...     Path(folder).mkdir(parents=True)
        >>> for i in range(2):
        ...     events = [[40_000 * i, 1, 2, 0], [40_000 * i + 40_000, 3, 2, 1]]
        ...     np.save(f'numpy/val/frame000000{i}.npy', events)
        ...     Path(f'xml/val/frame000000{i}.xml').touch()
        >>> [(source.name, len(source.parts)) for source in Pedro().find(Path())]
        [('frame0000000', 2)]
    """

    name: ClassVar[str] = 'PEDRo'
    files: ClassVar[str] = 'numpy/SPLIT/frame*.npy and xml/SPLIT/frame*.xml'
    evidence: ClassVar[tuple[str, ...]] = ('numpy/*/*.npy', 'xml/*/*.xml', '*/frame*.xml')

    def split_folder(self, folder: Path, split: str) -> Path:
        return (folder / 'numpy' if (folder / 'numpy').is_dir() else folder) / split

    def sources(self, place: Path, split: str) -> Iterator[Source]:
        samples = [path for path in place.glob('*.npy') if not path.name.endswith('_bbox.npy')]
        _check_pairs(place, samples)
        spans = {path: _span(path) for path in samples}
        run: list[Path] = []
        for path in sorted(samples, key=lambda path: (spans[path], path)):
            if run and abs(spans[path][0] - spans[run[-1]][1]) > APART_US:
                yield _source(run, split)
                run = []
            run.append(path)
        if run:
            yield _source(run, split)

    def recording(
        self, source: Source, entry: EventCatalogueEntry, size: tuple[int, int] | None
    ) -> Recording:
        if not source.parts:
            return super().recording(source, entry, size)
        return Recording(source.events, size, entry.size, read=partial(_events, source.parts))

    def labels(self, source: Source, entry: EventCatalogueEntry, window_us: int) -> Labels:
        origin = _span(source.events)[0]
        rows, frames = [], []
        for path in source.parts:
            time = _span(path)[1] - origin
            frames.append(time)
            rows += [(*box, time, label, 0) for box, label in _objects(_xml(path), entry.classes)]
        boxes = np.array(rows, BOX)
        return Labels(checked_boxes(source.events, boxes, entry.classes), np.unique(frames))


def _source(run: list[Path], split: str) -> Source:
    return Source(run[0].stem, split, run[0], _xml(run[0]), tuple(run))


def _xml(sample: Path) -> Path:
    """The labels of a sample, in ``xml/SPLIT`` or beside it."""
    beside = sample.with_suffix('.xml')
    split, kind = sample.parent, sample.parent.parent
    return kind.with_name('xml') / split.name / beside.name if kind.name == 'numpy' else beside


def _check_pairs(place: Path, samples: list[Path]) -> None:
    """Refuse samples without labels and labels without samples."""
    labels = _xml(place / 'any.npy').parent
    have = {path.stem for path in samples}
    labelled = {path.stem for path in labels.glob('*.xml')}
    for alone, of, missing in (
        (have - labelled, place, f'labels ({labels}/*.xml)'),
        (labelled - have, labels, f'events ({place}/*.npy)'),
    ):
        if alone:
            raise UserError(
                f'{of}: {len(alone)} of {len(have | labelled)} samples have no {missing}, such as '
                f'{min(alone)}. PEDRo has both of every sample: unpack numpy and xml side by side.'
            )


def _load(path: Path) -> np.ndarray:
    try:
        events = np.load(path, mmap_mode='r')
    except Exception as error:  # a damaged header raises whatever its parser does
        raise UserError(f'{path} cannot be read: it is damaged or no .npy file.') from error
    if not isinstance(events, np.ndarray):
        raise UserError(f'{path} cannot be read: it is an archive, not an .npy file.')
    if events.ndim != 2 or events.shape[1] != 4 or events.dtype.kind not in 'iu':
        raise UserError(
            f'{path} holds {events.dtype} {events.shape}, not whole numbers (N, 4) of t, x, y and '
            'p: it is no sample of PEDRo.'
        )
    if not len(events):
        raise UserError(f'{path} has no event: delete it and its label.')
    return events


def _span(path: Path) -> tuple[int, int]:
    """Times of the first and the last event of a sample, µs since 1970."""
    events = _load(path)
    first, last = int(events[0, 0]), int(events[-1, 0])
    if not 0 <= last - first <= SAMPLE_US + APART_US:
        raise UserError(
            f'{path}: its first column goes from {first} to {last}. A sample of PEDRo has the '
            f'columns t, x, y, p and lasts {SAMPLE_US} µs.'
        )
    return first, last


def _events(parts: tuple[Path, ...]) -> Iterator[Columns]:
    origin = _span(parts[0])[0]
    for path in parts:
        t, x, y, p = np.array(_load(path)).T
        if not np.isin(p, (0, 1)).all():
            raise UserError(
                f'{path}: a polarity of {int(p[~np.isin(p, (0, 1))][0])} in the last column, '
                'which is 0 or 1 in PEDRo.'
            )
        yield Columns(pixels(x), pixels(y), p.astype(np.uint8), t.astype(np.int64) - origin)


def _objects(path: Path, classes: tuple[str, ...]) -> Iterator[tuple[tuple[float, ...], int]]:
    """Box (x, y, w, h) and class of each object in a file of labels."""
    content = path.read_bytes()
    try:
        if b'<!ENTITY' in content:
            raise ValueError('it defines entities')
        root = ElementTree.fromstring(content)
    except (ElementTree.ParseError, ValueError) as error:
        raise UserError(
            f'{path} cannot be read: it is damaged or no XML file ({error}).'
        ) from error
    for number, item in enumerate(root.iterfind('object'), 1):
        name = (item.findtext('name') or '').strip()
        if name not in classes:
            raise UserError(
                f'{path}: object {number} is a {name!r}, but PEDRo has {list(classes)}: is '
                '--dataset right?'
            )
        try:
            x1, y1, x2, y2 = (float(item.findtext(f'bndbox/{side}') or '') for side in _SIDES)
            if not math.isfinite(x1 + y1 + x2 + y2):
                raise ValueError
        except ValueError as error:
            raise UserError(
                f'{path}: object {number} has no bndbox with the numbers {", ".join(_SIDES)}.'
            ) from error
        yield (x1, y1, x2 - x1, y2 - y1), classes.index(name)
