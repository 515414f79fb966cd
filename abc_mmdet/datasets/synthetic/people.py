"""People on foot, on two wheels and in a wheelchair, in metres.

Each builder returns a function of the distance travelled (metres), so that legs swing and pedals
turn exactly as fast as the person moves, and stop when the person stops.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from .solids import Body, Colour, Facet, Limb, block, wheel

Gait = Callable[[float], Body]
"""The body after this many metres."""

_SKINS: tuple[Colour, ...] = ((150, 180, 225), (110, 145, 195), (70, 100, 150), (45, 65, 100))
_HAIRS: tuple[Colour, ...] = ((25, 30, 40), (40, 60, 90), (90, 150, 190), (120, 120, 120))
_COATS: tuple[Colour, ...] = (
    (40, 40, 190), (190, 90, 40), (60, 150, 60), (50, 190, 225), (220, 220, 220),
    (150, 60, 130), (60, 60, 60), (40, 130, 230),
)  # fmt: skip
_TROUSERS: tuple[Colour, ...] = ((110, 60, 40), (45, 45, 45), (90, 90, 100), (60, 80, 110))
_METAL: Colour = (60, 60, 60)
_TYRE: Colour = (30, 30, 30)


def _pick(rng: np.random.Generator, colours: tuple[Colour, ...]) -> Colour:
    return colours[rng.integers(len(colours))]


def pedestrian(rng: np.random.Generator) -> Gait:
    """A person of 1.55 to 1.9 m who walks."""
    scale = rng.uniform(1.55, 1.9) / 1.75
    skin, hair, coat = _pick(rng, _SKINS), _pick(rng, _HAIRS), _pick(rng, _COATS)
    trousers = _pick(rng, _TROUSERS)
    start = rng.uniform(0, 1.4)

    def walk(distance: float) -> Body:
        swing = 0.32 * np.sin((distance + start) / (1.4 * scale) * 2 * np.pi)
        parts: list[Facet | Limb] = [
            Limb((0, 0, 0.95), (0, 0, 1.38), 0.2, coat),
            Limb((0, 0.02, 1.64), (0, 0.02, 1.66), 0.12, skin, level=2),
            Limb((0, -0.03, 1.69), (0, -0.03, 1.70), 0.105, hair, level=3),
        ]
        for side in (-1, 1):
            step = side * swing
            parts.append(Limb((side * 0.1, 0, 0.9), (side * 0.1, step, 0.09), 0.085, trousers))
            parts.append(Limb((side * 0.25, 0, 1.38), (side * 0.27, -step, 0.95), 0.06, coat))
        return _scaled(parts, scale)

    return walk


def _scaled(parts: list[Facet | Limb], scale: float) -> Body:
    def at(point: tuple[float, float, float]) -> tuple[float, float, float]:
        return point[0] * scale, point[1] * scale, point[2] * scale

    return Body(
        [
            Limb(at(part.start), at(part.end), part.radius * scale, part.colour, part.level)
            if isinstance(part, Limb)
            else Facet(part.points * scale, part.colour, part.normal, at(part.anchor), part.level)
            for part in parts
        ]
    )


def _rider(
    hip: tuple[float, float], shoulder: tuple[float, float], hand: tuple[float, float],
    coat: Colour, head: Colour,
) -> list[Facet | Limb]:  # fmt: skip
    """Upper body of somebody who sits; the points are (y, z)."""
    lean = np.subtract(shoulder, hip)
    crown = np.add(shoulder, lean / np.hypot(*lean) * 0.16 + (0.02, 0.1))
    parts: list[Facet | Limb] = [
        Limb((0, hip[0], hip[1] + 0.05), (0, shoulder[0], shoulder[1]), 0.19, coat),
        Limb((0, crown[0], crown[1]), (0, crown[0], crown[1]), 0.14, head, level=2),
    ]
    for side in (-1, 1):
        parts.append(
            Limb(
                (side * 0.22, shoulder[0], shoulder[1]), (side * 0.22, hand[0], hand[1]), 0.06, coat
            )
        )
    return parts


def bicycle(rng: np.random.Generator) -> Gait:
    """Two thin wheels, a frame and a rider who pedals."""
    frame, coat = _pick(rng, _COATS), _pick(rng, _COATS)
    head = _pick(rng, (*_HAIRS, (230, 230, 230), (40, 40, 200)))
    trousers = _pick(rng, _TROUSERS)
    still: list[Facet | Limb] = _rider((-0.22, 0.98), (0.1, 1.48), (0.42, 1.08), coat, head)
    for y in (-0.53, 0.53):
        still.append(wheel((0, y, 0.35), 0.35, _TYRE, inner=0.27, level=0))
        still.append(Limb((0, y, 0.03), (0, y, 0.62), 0.025, _METAL, level=0))
    tubes = [
        ((-0.53, 0.35), (-0.05, 0.3)), ((-0.05, 0.3), (-0.22, 0.92)), ((-0.05, 0.3), (0.4, 0.85)),
        ((-0.2, 0.8), (0.4, 0.85)), ((0.53, 0.35), (0.4, 1.05)),
    ]  # fmt: skip
    for (y0, z0), (y1, z1) in tubes:
        still.append(Limb((0, y0, z0), (0, y1, z1), 0.03, frame, level=0))
    still.append(Limb((-0.25, 0.42, 1.06), (0.25, 0.42, 1.06), 0.025, _METAL))

    def ride(distance: float) -> Body:
        turn = distance / 2.5 * np.pi
        return Body(still + _pedalling(turn, trousers))

    return ride


def _pedalling(turn: float, trousers: Colour) -> list[Facet | Limb]:
    parts: list[Facet | Limb] = []
    for side in (-1, 1):
        foot_y, foot_z = -0.05 + side * 0.17 * np.cos(turn), 0.3 + side * 0.17 * np.sin(turn)
        knee = (side * 0.12, 0.16 + (foot_y + 0.05) * 0.5, 0.68 + (foot_z - 0.3) * 0.6)
        parts.append(Limb((side * 0.11, -0.2, 0.96), knee, 0.08, trousers))
        parts.append(Limb(knee, (side * 0.12, foot_y, foot_z), 0.065, trousers))
    return parts


def motorbike(rng: np.random.Generator) -> Gait:
    """Fat wheels, a painted tank and seat, and a rider with a helmet."""
    paint, coat = _pick(rng, _COATS), _pick(rng, ((45, 45, 45), (70, 60, 60), (60, 60, 120)))
    helmet = _pick(rng, ((230, 230, 230), (40, 40, 200), (35, 35, 35), (50, 200, 230)))
    parts: list[Facet | Limb] = list(
        block((-0.35, 0.42), 0.34, (0.35, 0.72), _METAL, top_length=(-0.45, 0.5), level=1)
    )
    parts += block((-0.95, 0.55), 0.36, (0.72, 0.98), paint, top_length=(-0.9, 0.4), level=2)
    for y in (-0.7, 0.72):
        parts.append(wheel((0, y, 0.33), 0.33, _TYRE, level=0))
        parts.append(wheel((0, y, 0.33), 0.13, (150, 150, 150), level=0))
        parts.append(Limb((0, y, 0.09), (0, y, 0.55), 0.08, _TYRE, level=0))
    parts.append(Limb((0, 0.72, 0.4), (0, 0.5, 1.05), 0.06, (150, 150, 150), level=1))
    parts.append(Limb((-0.35, 0.5, 1.1), (0.35, 0.5, 1.1), 0.035, _METAL, level=2))
    parts.append(Limb((0, 0.62, 0.92), (0, 0.62, 0.92), 0.11, (220, 245, 245), level=2))
    for limb in _rider((-0.3, 0.95), (-0.05, 1.42), (0.45, 1.1), coat, helmet):
        assert isinstance(limb, Limb)
        parts.append(Limb(limb.start, limb.end, limb.radius * 1.12, limb.colour, limb.level + 2))
    for side in (-1, 1):
        knee = (side * 0.27, 0.15, 0.8)
        parts.append(Limb((side * 0.15, -0.3, 0.95), knee, 0.1, coat, level=3))
        parts.append(Limb(knee, (side * 0.25, -0.15, 0.35), 0.08, coat, level=3))
    body = Body(parts)
    return lambda distance: body


def wheelchair(rng: np.random.Generator) -> Gait:
    """Two large wheels at the sides, a seat with a back, and a person who sits in it."""
    coat, trousers = _pick(rng, _COATS), _pick(rng, _TROUSERS)
    skin = _pick(rng, _SKINS)
    seat = _pick(rng, ((40, 40, 40), (120, 50, 30), (40, 40, 130)))
    parts: list[Facet | Limb] = list(block((-0.3, 0.2), 0.46, (0.42, 0.5), seat, level=1))
    parts += block((-0.36, -0.3), 0.46, (0.45, 0.98), seat, level=1)
    for side in (-1, 1):
        parts.append(wheel((side * 0.31, -0.15, 0.31), 0.31, _TYRE, inner=0.24))
        parts.append(Limb((side * 0.31, -0.15, 0.03), (side * 0.31, -0.15, 0.59), 0.025, _METAL))
        parts.append(Limb((side * 0.22, 0.32, 0.08), (side * 0.22, 0.32, 0.08), 0.08, _TYRE))
        parts.append(Limb((side * 0.22, 0.3, 0.1), (side * 0.22, 0.15, 0.45), 0.025, _METAL))
        parts.append(Limb((side * 0.11, -0.2, 0.58), (side * 0.11, 0.28, 0.56), 0.085, trousers))
        parts.append(Limb((side * 0.11, 0.28, 0.56), (side * 0.11, 0.42, 0.14), 0.07, trousers))
        parts.append(Limb((side * 0.2, -0.38, 0.98), (side * 0.2, -0.5, 0.98), 0.025, _METAL))
        parts.append(Limb((side * 0.23, -0.2, 1.02), (side * 0.27, 0.05, 0.66), 0.055, coat))
    parts.append(Limb((0, -0.2, 0.65), (0, -0.18, 1.02), 0.18, coat, level=2))
    parts.append(Limb((0, -0.16, 1.3), (0, -0.16, 1.3), 0.125, skin, level=3))
    parts.append(Limb((0, -0.2, 1.35), (0, -0.2, 1.35), 0.105, _pick(rng, _HAIRS), level=4))
    body = Body(parts)
    return lambda distance: body
