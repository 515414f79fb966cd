"""FRED: one folder for each recording, with events of Prophesee's and boxes as lines of text."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import numpy as np

from abc_mmdet.errors import UserError

from ..catalogue import EventCatalogueEntry
from ..labels import BOX, checked_boxes
from ..recording import Recording
from .base import Labels, Layout, Source

EVENTS = ('Event/events.hdf5', 'Event/events.raw')
BOXES = 'coordinates.txt'

MODELS = (
    *('betafpv air75', 'darwinfpv cineape20', 'darwinfpv cineape20ger'),
    *('dji mini 2', 'dji mini 3', 'dji tello edu'),
)
"""The drones that labels name, in small letters; ``cineape20ger`` is a slip in some of them."""

STARTS_US = 1_000_000
"""The first event comes before, or the clocks of events and labels are not the same."""

_LINE = re.compile(
    r'(?P<time>\d{{1,9}}(?:\.\d{{0,9}})?):\s*(?P<box>{n}(?:\s*,\s*{n}){{3}})'
    r'(?:\s*,\s*(?P<track>\d{{1,9}})(?:\.0*)?)?(?:\s*,\s*(?P<model>[^\W\d][^,]*?))?\s*'.format(
        n=r'-?\d{1,9}(?:\.\d{0,20})?'
    )
)


class Fred(Layout):
    """``FOLDER/{train,test}/NUMBER/`` with one of :data:`EVENTS` and :data:`BOXES`.

    From FRED's description (huggingface.co/datasets/GabrieleMagrini/FRED) and paper:

    * A line of ``coordinates.txt`` is ``time: x1, y1, x2, y2, id, class``, with the time in
      seconds since the start of the recording, 30 of them a second. Older releases have no
      ``class`` or no ``id``.
    * Boxes are in pixels of the event camera, also where the image has been padded;
      ``coordinates_rgb.txt`` leaves those out and is not read. Boxes may leave the frame.
    * ``class`` is the model of the drone. The published detectors know one class, and so does the
      catalogue: ``drone``. A model that the paper does not name is refused.
    * That the clock of the events begins with the recording is not said. So a recording whose
      first event is later than :data:`STARTS_US` is refused.
    * Frames without a drone have no line, and are not known.

    Examples:
        >>> Path('train/7/Event').mkdir(parents=True)
        >>> Path('train/7/Event/events.raw').touch()
        >>> [(source.name, source.events.name) for source in Fred().find(Path())]
        [('7', 'events.raw')]
    """

    name: ClassVar[str] = 'FRED'
    files: ClassVar[str] = f'NUMBER/{EVENTS[0]} and NUMBER/{BOXES}'
    evidence: ClassVar[tuple[str, ...]] = (f'*/*/{BOXES}', '*/*/Event')

    def sources(self, place: Path, split: str) -> Iterator[Source]:
        packed = sorted(place.glob('*.zip'))
        folders = sorted(path for path in place.iterdir() if path.is_dir())
        if packed and not folders:
            raise UserError(f'{packed[0]} and others are packed: unpack them where they are.')
        for folder in folders:
            there = [folder / name for name in EVENTS if (folder / name).exists()]
            boxes = folder / BOXES
            if there or boxes.exists():
                events = there[0] if there else folder / EVENTS[0]
                yield Source(folder.name, split, events, boxes)

    def recording(
        self, source: Source, entry: EventCatalogueEntry, size: tuple[int, int] | None
    ) -> Recording:
        recording = Recording(source.events, size, entry.size)
        again = Recording(source.events, recording.size)
        first = next((int(part['t'][0]) for part in again.chunks() if len(part['t'])), 0)
        if source.boxes is not None and first > STARTS_US:
            raise UserError(
                f'{source.events}: the first event is at {first / 1e6:.3f} s. Labels of FRED count '
                'from the start of the recording, and whether that is 0 or the first event cannot '
                'be told: subtract the start from the times of the events.'
            )
        return recording

    def labels(self, source: Source, entry: EventCatalogueEntry, window_us: int) -> Labels:
        path = source.boxes
        assert path is not None
        if not path.is_file():
            raise UserError(f'{path} is missing: the recording has no labels.')
        try:
            lines = path.read_text(encoding='utf-8-sig').splitlines()
        except ValueError as error:
            raise UserError(f'{path} is no text file.') from error
        rows = [_row(path, i, line) for i, line in enumerate(lines, 1) if line.strip()]
        return Labels(checked_boxes(path, np.array(rows, BOX), entry.classes))


def _row(path: Path, number: int, line: str) -> tuple:
    """x, y, w, h, t in µs, class and track of one line."""
    found = _LINE.fullmatch(line.strip())
    if found is None:
        raise UserError(
            f'{path}, line {number}: {line.strip()[:60]!r} is not "time: x1, y1, x2, y2, id, '
            'class".'
        )
    model = found['model']
    if model is not None and model.lower() not in MODELS:
        raise UserError(
            f'{path}, line {number}: class {model!r}, but the drones of FRED are '
            f'{", ".join(MODELS)}. Correct the name, or leave it out of all lines.'
        )
    x1, y1, x2, y2 = (float(side) for side in found['box'].split(','))
    time = round(float(found['time']) * 1e6)
    return x1, y1, x2 - x1, y2 - y1, time, 0, int(found['track'] or 0)
