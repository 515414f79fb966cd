"""The eight classes of traffic participant and how one of each is made."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from abc_mmdet.datasets.events.catalogue import ETRAM

from . import people, vehicles
from .solids import Body

CLASSES = ETRAM.classes
"""Names in the order of eTraM's class ids (0 to 7)."""

SMALL_CLASSES = ('pedestrian', 'bicycle', 'motorbike', 'wheelchair')


@dataclass(frozen=True)
class Participant:
    """One road user.

    Args:
        name: of the class.
        half_length: metres before and behind its middle.
        body: its shape after it has travelled this many metres.
    """

    name: str
    half_length: float
    body: Callable[[float], Body]


def _rigid(build: Callable[[np.random.Generator], Body]) -> Callable:
    def make(rng: np.random.Generator) -> Callable[[float], Body]:
        body = build(rng)
        return lambda distance: body

    return make


_BUILDERS: dict[str, Callable[[np.random.Generator], Callable[[float], Body]]] = {
    'pedestrian': people.pedestrian,
    'car': _rigid(vehicles.car),
    'bicycle': people.bicycle,
    'bus': _rigid(vehicles.bus),
    'motorbike': people.motorbike,
    'truck': _rigid(vehicles.truck),
    'tram': _rigid(vehicles.tram),
    'wheelchair': people.wheelchair,
}


def make_participant(name: str, rng: np.random.Generator) -> Participant:
    """A participant of this class with random colours and proportions."""
    body = _BUILDERS[name](rng)
    return Participant(name, float(np.abs(body(0.0).points[:, 1]).max()), body)
