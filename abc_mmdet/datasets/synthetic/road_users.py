"""The eight classes of road users, each of a few blocks."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from abc_mmdet.datasets.events.catalogue import ETRAM

from .rendering import Block, Body, Colour

CLASSES = ETRAM.classes
"""Names in the order of eTraM's class ids (0 to 7)."""

SMALL_CLASSES = ('pedestrian', 'bicycle', 'motorbike', 'wheelchair')

_DARK: Colour = (35, 35, 35)
_GLASS: Colour = (70, 60, 50)
_COLOURS: tuple[Colour, ...] = (
    (40, 40, 190), (190, 90, 40), (60, 150, 60), (50, 190, 225), (220, 220, 220),
    (150, 60, 130), (60, 60, 60), (40, 130, 230), (170, 170, 170),
)  # fmt: skip
_SKINS: tuple[Colour, ...] = ((150, 180, 225), (110, 145, 195), (70, 100, 150), (45, 65, 100))


def _pick(rng: np.random.Generator, colours: tuple[Colour, ...] = _COLOURS) -> Colour:
    return colours[rng.integers(len(colours))]


def _pedestrian(rng: np.random.Generator) -> list[Block]:
    tall, legs = rng.uniform(1.55, 1.9), rng.uniform(0.2, 0.3)
    return [
        Block((-legs, legs), 0.34, (0, 0.48 * tall), _pick(rng), 0),
        Block((-0.15, 0.15), 0.3 * tall, (0.48 * tall, 0.83 * tall), _pick(rng), 1),
        Block((-0.11, 0.11), 0.22, (0.83 * tall, tall), _pick(rng, _SKINS), 2),
    ]


def _rider(y: float, seat: float, coat: Colour, head: Colour) -> list[Block]:
    trousers = coat[0] * 0.4, coat[1] * 0.4, coat[2] * 0.4
    return [
        Block((y, y + 0.4), 0.5, (seat - 0.5, seat), trousers, 2),
        Block((y, y + 0.35), 0.52, (seat, seat + 0.5), coat, 3),
        Block((y + 0.1, y + 0.34), 0.24, (seat + 0.5, seat + 0.76), head, 4),
    ]


def _bicycle(rng: np.random.Generator) -> list[Block]:
    wheels = [Block(ends, 0.06, (0, 0.68), _DARK, 0) for ends in ((-0.86, -0.2), (0.2, 0.86))]
    frame = Block((-0.5, 0.5), 0.08, (0.6, 0.9), _pick(rng), 1)
    return [*wheels, frame, *_rider(-0.2, 0.98, _pick(rng), _pick(rng, _SKINS))]


def _motorbike(rng: np.random.Generator) -> list[Block]:
    wheels = [Block(ends, 0.16, (0, 0.62), _DARK, 0) for ends in ((-1.0, -0.4), (0.4, 1.0))]
    tank = Block((-0.85, 0.65), 0.4, (0.3, 0.9), _pick(rng), 1)
    return [*wheels, tank, *_rider(-0.35, 0.9, _pick(rng), _pick(rng))]


def _wheelchair(rng: np.random.Generator) -> list[Block]:
    wheels = [Block((-0.46, 0.18), 0.06, (0, 0.62), _DARK, 1, x) for x in (-0.31, 0.31)]
    return [
        *wheels,
        Block((0.1, 0.45), 0.36, (0.05, 0.6), _pick(rng), 1),
        Block((-0.4, 0.2), 0.5, (0.4, 0.56), _pick(rng), 2),
        Block((-0.35, -0.05), 0.46, (0.56, 1.12), _pick(rng), 3),
        Block((-0.3, -0.08), 0.22, (1.12, 1.4), _pick(rng, _SKINS), 4),
    ]


def _car(rng: np.random.Generator) -> list[Block]:
    half, width, paint = rng.uniform(1.95, 2.3), rng.uniform(1.72, 1.88), _pick(rng)
    cabin = -half * rng.uniform(0.7, 1.0), 0.4 * half
    return [
        Block((-half + 0.2, half - 0.2), width - 0.1, (0, 0.3), _DARK, 0),
        Block((-half, half), width, (0.3, 0.85), paint, 1),
        Block(cabin, width - 0.2, (0.85, rng.uniform(1.4, 1.6)), _GLASS, 2, roof=paint),
    ]


def _bus(rng: np.random.Generator) -> list[Block]:
    half, paint = rng.uniform(5.0, 5.8), _pick(rng)
    ends = -half, half
    return [
        Block(ends, 2.4, (0, 0.35), _DARK, 0),
        Block(ends, 2.5, (0.35, 1.5), paint, 1),
        Block(ends, 2.5, (1.5, 2.5), _GLASS, 2),
        Block(ends, 2.5, (2.5, 3.05), paint, 3, roof=(225, 225, 225)),
    ]


def _truck(rng: np.random.Generator) -> list[Block]:
    half, paint, load = rng.uniform(3.6, 4.4), _pick(rng), _pick(rng)
    cab, box = (half - 1.7, half), (-half, half - 2.0)
    return [
        Block((-half, half - 0.1), 2.2, (0, 0.6), _DARK, 0),
        Block(cab, 2.35, (0.6, 1.6), paint, 1),
        Block(box, 2.45, (0.95, 1.6), load, 1),
        Block(cab, 2.35, (1.6, 2.5), _GLASS, 2, roof=paint),
        Block(box, 2.45, (1.6, rng.uniform(3.0, 3.5)), load, 2),
    ]


def _tram(rng: np.random.Generator) -> list[Block]:
    half, paint = rng.uniform(7.0, 8.5), _pick(rng)
    blocks = [Block((-half + 0.3, half - 0.3), 2.1, (0, 0.3), _DARK, 0)]
    for ends in ((-half, -0.4), (0.4, half)):
        blocks += [
            Block(ends, 2.4, (0.3, 1.6), paint, 1),
            Block(ends, 2.4, (1.6, 2.8), _GLASS, 2),
            Block(ends, 2.4, (2.8, 3.4), (200, 230, 240), 3, roof=(170, 170, 170)),
        ]
    return blocks


_BUILDERS: dict[str, Callable[[np.random.Generator], list[Block]]] = {
    'pedestrian': _pedestrian, 'car': _car, 'bicycle': _bicycle, 'bus': _bus,
    'motorbike': _motorbike, 'truck': _truck, 'tram': _tram, 'wheelchair': _wheelchair,
}  # fmt: skip


def body_of(name: str, rng: np.random.Generator) -> Body:
    """A road user of this class with random colours and proportions.

    Examples:
        >>> length = np.ptp(body_of('bus', np.random.default_rng(0)).points[:, 1])
        >>> bool(9 < length < 12)  # metres
        True
    """
    return Body(_BUILDERS[name](rng))
