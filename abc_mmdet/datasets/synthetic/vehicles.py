"""Cars, buses, trucks and trams, in metres, seen from all sides and above."""

from __future__ import annotations

import numpy as np

from .solids import Body, Colour, Facet, block, wheel

_GLASS: Colour = (70, 60, 50)
_TYRE: Colour = (30, 30, 30)
_HUB: Colour = (120, 120, 120)
_UNDERSIDE: Colour = (25, 25, 25)
_HEADLIGHT: Colour = (235, 250, 250)
_PLATE: Colour = (230, 230, 230)
_TAIL_LIGHT: Colour = (40, 30, 200)

_CAR_PAINTS: tuple[Colour, ...] = (
    (235, 235, 235), (180, 180, 180), (95, 95, 95), (50, 50, 50), (40, 40, 190),
    (170, 80, 30), (110, 50, 30), (60, 110, 40), (60, 180, 215),
)  # fmt: skip
_BUS_PAINTS: tuple[Colour, ...] = (
    (30, 190, 235), (40, 40, 200), (60, 140, 40), (190, 120, 40), (215, 215, 215),
)  # fmt: skip
_TRAM_PAINTS: tuple[Colour, ...] = (
    (30, 30, 190), (40, 170, 225), (70, 120, 30), (160, 70, 40),
)  # fmt: skip


def _pick(rng: np.random.Generator, paints: tuple[Colour, ...]) -> Colour:
    return paints[rng.integers(len(paints))]


def _lamps(low: float, high: float, width: float, colour: Colour) -> list[tuple]:
    return [(0.04, low, 0.04 + width, high, colour), (0.96 - width, low, 0.96, high, colour)]


def _wheels(positions: list[float], half_width: float, radius: float) -> list[Facet]:
    facets = []
    for side in (-1, 1):
        for y in positions:
            centre = (side * half_width, y, radius)
            facets.append(wheel(centre, radius, _TYRE, side=side))
            facets.append(wheel(centre, radius * 0.5, _HUB, side=side))
    return facets


def _windows(count: int, low: float, high: float, gap: float = 0.02) -> list[tuple]:
    step = 0.94 / count
    return [(0.03 + i * step, low, 0.03 + (i + 1) * step - gap, high, _GLASS) for i in range(count)]


def car(rng: np.random.Generator) -> Body:
    """A saloon, hatchback or estate of about 4.3 m."""
    paint = _pick(rng, _CAR_PAINTS)
    half, width = rng.uniform(1.95, 2.3), rng.uniform(1.72, 1.88)
    roof = rng.uniform(1.4, 1.6)
    cabin_back = rng.choice([-0.98, -0.8]) * half  # estate and hatchback, or with a boot
    glass = [(0.06, 0.12, 0.94, 0.9, _GLASS)]
    side_glass = [(0.1, 0.15, 0.48, 0.88, _GLASS), (0.52, 0.15, 0.9, 0.88, _GLASS)]
    parts = block((-half + 0.1, half - 0.1), width - 0.1, (0.0, 0.35), _UNDERSIDE, level=0)
    parts += block(
        (-half, half), width, (0.28, 0.85), paint, top_length=(-half + 0.05, half - 0.15),
        decals={
            'front': [*_lamps(0.5, 0.85, 0.2, _HEADLIGHT), (0.3, 0.3, 0.7, 0.6, _UNDERSIDE)],
            'back': [*_lamps(0.5, 0.9, 0.16, _TAIL_LIGHT), (0.36, 0.35, 0.64, 0.6, _PLATE)],
        },
    )  # fmt: skip
    parts += _wheels([-0.62 * half, 0.62 * half], width / 2, 0.33)
    parts += block(
        (cabin_back, 0.45 * half), width - 0.06, (0.85, roof), paint, top_width=width - 0.4,
        top_length=(cabin_back + 0.4, 0.05 * half), level=2,
        decals={'front': glass, 'back': glass, 'left': side_glass, 'right': side_glass},
    )  # fmt: skip
    return Body(parts)


def bus(rng: np.random.Generator) -> Body:
    """A city bus of about 11 m."""
    paint = _pick(rng, _BUS_PAINTS)
    half, width = rng.uniform(5.0, 5.8), 2.5
    side = [*_windows(6, 0.48, 0.82), (0.0, 0.1, 1.0, 0.18, (235, 235, 235))]
    parts = block((-half + 0.1, half - 0.1), width - 0.15, (0.0, 0.4), _UNDERSIDE, level=0)
    parts += block(
        (-half, half), width, (0.3, 3.0), paint, top_colour=(225, 225, 225),
        decals={
            'front': [
                (0.05, 0.36, 0.95, 0.82, _GLASS), (0.2, 0.87, 0.8, 0.97, (40, 150, 230)),
                *_lamps(0.08, 0.17, 0.16, _HEADLIGHT),
            ],
            'back': [(0.15, 0.5, 0.85, 0.8, _GLASS), *_lamps(0.1, 0.25, 0.1, _TAIL_LIGHT)],
            'left': side, 'right': side, 'top': [(0.25, 0.15, 0.75, 0.4, (170, 170, 170))],
        },
    )  # fmt: skip
    parts += _wheels([-0.5 * half, 0.58 * half], width / 2, 0.48)
    return Body(parts)


def truck(rng: np.random.Generator) -> Body:
    """A rigid lorry of about 8 m: a coloured cab before a box that stands higher."""
    paint = _pick(rng, _CAR_PAINTS)
    box = [(225, 225, 225), (200, 200, 205), (90, 130, 160), (150, 110, 70)][rng.integers(4)]
    half, width, height = rng.uniform(3.6, 4.4), 2.45, rng.uniform(3.0, 3.5)
    cab_back = half - 1.7
    glass = (0.08, 0.5, 0.92, 0.88, _GLASS)
    parts = block((-half, half - 0.1), width - 0.3, (0.0, 0.95), _UNDERSIDE, level=0)
    parts += _wheels([-0.72 * half, -0.45 * half, 0.72 * half], width / 2, 0.5)
    parts += block(
        (cab_back, half), width - 0.1, (0.45, 2.65), paint, level=2,
        decals={
            'front': [
                glass, *_lamps(0.08, 0.2, 0.16, _HEADLIGHT), (0.3, 0.1, 0.7, 0.32, _UNDERSIDE),
            ],
            'left': [(0.1, 0.5, 0.65, 0.88, _GLASS)], 'right': [(0.35, 0.5, 0.9, 0.88, _GLASS)],
        },
    )  # fmt: skip
    rib = [(0.0, 0.0, 1.0, 0.06, _HUB), (0.0, 0.94, 1.0, 1.0, _HUB)]
    parts += block(
        (-half, cab_back - 0.25), width, (0.95, height), box, level=2,
        decals={
            'left': rib, 'right': rib,
            'back': [(0.48, 0.05, 0.52, 0.95, _HUB), *_lamps(0.0, 0.08, 0.12, _TAIL_LIGHT)],
        },
    )  # fmt: skip
    return Body(parts)


def tram(rng: np.random.Generator) -> Body:
    """Two cars with a bellows between, sloping ends, a band of windows and a pantograph."""
    paint = _pick(rng, _TRAM_PAINTS)
    half, width, cream = rng.uniform(7.0, 8.5), 2.4, (200, 230, 240)
    side = [
        (0.0, 0.45, 1.0, 0.85, _GLASS),
        (0.0, 0.88, 1.0, 1.0, cream),
        (0.3, 0.02, 0.42, 0.85, cream),
    ]
    end = [(0.08, 0.42, 0.92, 0.86, _GLASS), *_lamps(0.1, 0.2, 0.12, _HEADLIGHT)]
    parts = block((-half + 0.5, half - 0.5), width - 0.2, (0.0, 0.35), _UNDERSIDE, level=0)
    parts += block((-0.5, 0.5), width - 0.3, (0.3, 3.1), (45, 45, 45))
    for back, front in ((-half, -0.4), (0.4, half)):
        slope_back, slope_front = (0.7, 0.0) if back < 0 else (0.0, 0.7)
        parts += block(
            (back, front), width, (0.25, 3.3), paint, top_colour=(170, 170, 170),
            top_length=(back + slope_back, front - slope_front),
            decals={'left': side, 'right': side, 'back' if back < 0 else 'front': end},
        )  # fmt: skip
    roof = half / 2
    parts += block((roof - 0.8, roof + 0.8), 1.3, (3.3, 3.55), (110, 110, 110), level=2)
    parts += block((roof - 0.1, roof + 0.1), 1.7, (4.05, 4.15), (50, 50, 50), level=4)
    arm = np.array(
        [(-0.05, roof - 0.7, 3.55), (0.05, roof - 0.7, 3.55), (0.05, roof, 4.1), (-0.05, roof, 4.1)]
    )
    parts.append(Facet(arm, (50, 50, 50), None, (0.0, roof, 3.8), level=3))
    return Body(parts)
