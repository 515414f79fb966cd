"""How the published data sets lie on disk: one layout for each way, found by a catalogue name."""

from __future__ import annotations

from pathlib import Path

from abc_mmdet.errors import UserError

from ..catalogue import DSEC_DETECTION, ETRAM, EV_UAV, FRED, GEN1, ONE_MPX, PEDRO
from .base import SPLITS, Labels, Layout, Source
from .dsec_detection import DsecDetection
from .ev_uav import EvUav
from .fred import Fred
from .pedro import Pedro
from .prophesee import EVENT_ENDINGS, Prophesee

_PROPHESEE = Prophesee()

LAYOUTS: dict[str, Layout] = {
    ETRAM.name: _PROPHESEE,
    ONE_MPX.name: _PROPHESEE,
    GEN1.name: _PROPHESEE,
    DSEC_DETECTION.name: DsecDetection(),
    PEDRO.name: Pedro(),
    FRED.name: Fred(),
    EV_UAV.name: EvUav(),
}
"""By name in the catalogue."""


def find_sources(folder: Path, dataset: str) -> list[Source]:
    """Recordings of a data set below a folder, see :meth:`Layout.find`.

    Raises:
        UserError: what :meth:`Layout.find` raises. If files of another data set lie in the folder,
            the message names it.
    """
    layout = LAYOUTS[dataset]
    try:
        return layout.find(folder)
    except UserError as error:
        looks_like = _others(folder, layout)
        if not looks_like or any(any(folder.glob(pattern)) for pattern in layout.evidence):
            raise
        raise UserError(f'{error} It looks like {looks_like}, not {layout.name}.') from error


def _others(folder: Path, layout: Layout) -> str:
    """Names of other layouts that a folder has files of, with what ``--dataset`` calls them."""
    found: dict[str, list[str]] = {}
    for name, other in LAYOUTS.items():
        if other is not layout and any(any(folder.glob(pattern)) for pattern in other.evidence):
            found.setdefault(other.name, []).append(f'--dataset {name}')
    return ' or '.join(f'{name} ({", ".join(options)})' for name, options in found.items())


__all__ = ['EVENT_ENDINGS', 'LAYOUTS', 'SPLITS', 'Labels', 'Layout', 'Source', 'find_sources']
