"""The layout of Prophesee's data sets and of eTraM: two files for each recording."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

from ..recording import CAMERA_FILES
from .base import Layout, Source

_BARE = (*CAMERA_FILES, '.hdf5')
EVENT_ENDINGS = ('_td.dat.h5', '_td.h5', *[f'_td{ending}' for ending in _BARE], *_BARE)
BOX_ENDING = '_bbox.npy'


class Prophesee(Layout):
    """``FOLDER/{train,val,test}/NAME_td.h5`` (or another of :data:`EVENT_ENDINGS`) with
    ``NAME_bbox.npy``: Gen1 (de Tournemire et al., 2020), 1 Mpx (Perot et al., 2020) and eTraM
    (Verma et al., 2024).

    Examples:
        >>> Path('val').mkdir()
        >>> Path('val/street_bbox.npy').touch()
        >>> [source.events.name for source in Prophesee().find(Path())]
        ['street_td.h5']
    """

    name: ClassVar[str] = 'eTraM, 1 Mpx or Gen1'
    files: ClassVar[str] = f'*_td.h5 and *{BOX_ENDING}'
    evidence: ClassVar[tuple[str, ...]] = (f'*/*{BOX_ENDING}', '*/*_td.h5', '*/*_td.dat.h5')

    def sources(self, place: Path, split: str) -> Iterator[Source]:
        files = {path.name: path for path in sorted(place.iterdir())}
        for name in sorted({_stem(name) for name in files} - {''}):
            events = [files[name + e] for e in EVENT_ENDINGS if name + e in files]
            expected = place / f'{name}_td.h5'
            boxes = place / f'{name}{BOX_ENDING}'
            yield Source(name, split, events[0] if events else expected, boxes)


def _stem(file_name: str) -> str:
    for ending in (*EVENT_ENDINGS, BOX_ENDING):
        if file_name.endswith(ending):
            return file_name.removesuffix(ending)
    return ''
