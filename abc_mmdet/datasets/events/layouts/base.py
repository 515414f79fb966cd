"""What a data set's layout is: where its recordings and labels lie, and how they are read."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np

from abc_mmdet.errors import UserError

from ..catalogue import EventCatalogueEntry
from ..labels import read_boxes
from ..recording import CAMERA_FILES, Recording

SPLITS = ('train', 'val', 'test')


@dataclass(frozen=True)
class Source:
    """A recording to convert.

    Args:
        name: of the recording.
        split: ``train``, ``val`` or ``test``.
        events: its file; the first one, if there are several.
        boxes: file of its labels, likewise; None for a recording without.
        parts: all files of its events in order of time, if there are several.

    Examples:
        >>> Source('street', 'val', Path('val/street_td.h5'), boxes=None).name
        'street'
    """

    name: str
    split: str
    events: Path
    boxes: Path | None
    parts: tuple[Path, ...] = ()


@dataclass(frozen=True)
class Labels:
    """Labels of a recording.

    Args:
        boxes: structured array in order of time, with the fields of :data:`~..labels.FIELDS`; in
            pixels of the events, and in µs of their clock.
        frames_us: times of all labelled frames, also of those without any object; None where a
            data set names only the frames that have some.

    Examples:
        >>> from abc_mmdet.datasets.events.labels import BOX
        >>> Labels(np.zeros(0, BOX), frames_us=np.array([50_000])).frames_us.tolist()
        [50000]
    """

    boxes: np.ndarray
    frames_us: np.ndarray | None = None


class Layout:
    """Base of all layouts. As it is, recordings and labels are files of Prophesee's kinds.

    A new data set is an entry of the catalogue and, if its files are of another kind, a subclass:
    :meth:`sources` says which recordings a folder of a split holds, :meth:`recording` and
    :meth:`labels` read one of them.

    Attributes:
        name: as messages say it.
        files: what a folder of it holds, likewise.
        evidence: patterns below its folder, one of which it has and no other data set.

    Examples:
        >>> Layout().labels(Source('street', 'val', Path('a_td.h5'), Path('a_bbox.npy')),
        ...                 EventCatalogueEntry('mine', ('car',), (64, 48), 1), 50_000)
        Traceback (most recent call last):
        ...
        abc_mmdet.errors.UserError: a_bbox.npy is missing: the recording has no labels.
    """

    name: ClassVar[str]
    files: ClassVar[str]
    evidence: ClassVar[tuple[str, ...]]

    def find(self, folder: Path) -> list[Source]:
        """All recordings below a folder.

        Labels without events and events without labels are found, too: they are reported when
        their turn comes.

        Raises:
            UserError: no such folder, none of the splits in it, or no recordings in those.
        """
        if not folder.is_dir():
            raise UserError(f'{folder} does not exist (from {Path.cwd()}).')
        there = {split: self.split_folder(folder, split) for split in SPLITS}
        there = {split: place for split, place in there.items() if place.is_dir()}
        if not there:
            raise UserError(
                f'{folder} has none of the folders {", ".join(SPLITS)}. Put the recordings of each '
                'split into one, or name recordings themselves instead of a folder.'
            )
        found = [source for split, place in there.items() for source in self.sources(place, split)]
        if not found:
            raise UserError(f'{folder}: there are no recordings ({self.files}) in it.')
        return found

    def split_folder(self, folder: Path, split: str) -> Path:
        """Where the recordings of a split lie."""
        return folder / split

    def sources(self, place: Path, split: str) -> Iterator[Source]:
        """The recordings in the folder of a split."""
        raise NotImplementedError

    def recording(
        self, source: Source, entry: EventCatalogueEntry, size: tuple[int, int] | None
    ) -> Recording:
        """The events of a recording.

        Args:
            source: which one.
            entry: of the catalogue.
            size: width and height of the sensor, where files tell wrong.

        Raises:
            UserError: files that are missing, damaged or of another kind.
        """
        camera = source.events.suffix in CAMERA_FILES
        return Recording(source.events, size, None if camera else entry.size)

    def labels(self, source: Source, entry: EventCatalogueEntry, window_us: int) -> Labels:
        """The labels of a recording.

        Args:
            source: which one.
            entry: of the catalogue.
            window_us: length of the windows, for labels that are made from events.

        Raises:
            UserError: a file that is missing, damaged, lacks something or has unknown classes.
        """
        assert source.boxes is not None
        return Labels(read_boxes(source.boxes, entry.classes))

    def read(
        self,
        source: Source,
        entry: EventCatalogueEntry,
        window_us: int,
        size: tuple[int, int] | None,
    ) -> tuple[Labels | None, Recording]:
        """:meth:`labels`, None for a recording without, and :meth:`recording`.

        For layouts that have both in one file, which is then read once.
        """
        labels = None if source.boxes is None else self.labels(source, entry, window_us)
        return labels, self.recording(source, entry, size)


def pixels(values: np.ndarray) -> np.ndarray:
    """Coordinates as 16 bits; what does not fit becomes 65535, outside of every sensor."""
    fits = (values >= 0) & (values < 65535)
    return np.where(fits, values, 65535).astype(np.uint16)
