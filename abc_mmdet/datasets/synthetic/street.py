"""The street: strips for each kind of traffic side by side, and who travels on them.

Traffic has no beginning: every lane is a loop that is longer than the visible street, and all that
is on a lane moves by the same :class:`Flow`, so nobody runs into anybody and the state at any time
follows in closed form.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from .rendering import Body
from .road_users import body_of

NEAR_END, FAR_END = 0.0, 56.0
"""The stretch of street that exists, y in metres; the camera stands at y = 0 and looks along it."""

_SHARE = {
    'road': {'car': 0.36, 'truck': 0.2, 'bus': 0.18, 'motorbike': 0.26},
    'bike': {'bicycle': 0.8, 'motorbike': 0.2},
    'walk': {'pedestrian': 0.68, 'wheelchair': 0.32},
    'track': {'tram': 1.0},
}
_SPEED = {'road': (6.0, 12.0), 'bike': (3.5, 6.0), 'walk': (1.0, 1.6), 'track': (5.0, 9.0)}
_GAP = {'road': (6.0, 24.0), 'bike': (5.0, 30.0), 'walk': (4.0, 26.0), 'track': (8.0, 40.0)}


@dataclass(frozen=True)
class Strip:
    """Part of the street's cross-section, from x = ``left`` to ``right`` in metres.

    ``heading`` is 1 along y (away from the camera), -1 against it.

    Examples:
        >>> Strip('road', 1.0, 4.0, heading=1).centre
        2.5
    """

    kind: str
    left: float
    right: float
    heading: int

    @property
    def centre(self) -> float:
        return (self.left + self.right) / 2


@dataclass(frozen=True)
class Flow:
    """Distance as a function of time: cruise, slow down, stand, speed up, again and again.

    Args:
        speed: cruising speed, m/s.
        cruise, standing, ramp: duration of each part, s; ``ramp`` is spent twice.
        phase: where in the cycle time 0 lies, s.

    Examples:
        >>> Flow(speed=10, cruise=4, standing=3, ramp=2, phase=0).distance(4)
        40.0
    """

    speed: float
    cruise: float
    standing: float
    ramp: float
    phase: float

    def distance(self, t: float) -> float:
        """Metres since the cycle began that contains ``t = 0``."""
        knots = np.cumsum([0.0, self.cruise, self.ramp, self.standing, self.ramp])
        speeds = self.speed * np.array([1.0, 1.0, 0.0, 0.0, 1.0])
        travelled = np.cumsum([0.0, *(np.diff(knots) * (speeds[1:] + speeds[:-1]) / 2)])
        cycles, rest = divmod(t + self.phase, knots[-1])
        part = int(np.searchsorted(knots, rest, side='right')) - 1
        now = float(np.interp(rest, knots, speeds))
        since = (rest - knots[part]) * (speeds[part] + now) / 2
        return float(cycles * travelled[-1] + travelled[part] + since)


class Traveller(NamedTuple):
    """A road user on a lane, the middle ``offset`` metres into its loop.

    Examples:
        >>> car = body_of('car', np.random.default_rng(0))
        >>> Traveller('car', car, half_length=2.2, offset=10.0, number=0).name
        'car'
    """

    name: str
    body: Body
    half_length: float
    offset: float
    number: int


class TravellerState(NamedTuple):
    """Where a traveller is: y along the street, and rounds done; see :meth:`Lane.states`.

    Examples:
        >>> TravellerState._fields
        ('traveller', 'y', 'lap')
    """

    traveller: Traveller
    y: float
    lap: int


@dataclass(frozen=True)
class Lane:
    """A strip with its traffic.

    Examples:
        >>> rng = np.random.default_rng(0)
        >>> lane, *_ = sample_lanes(sample_strips(rng), ['pedestrian'], rng)
        >>> len(lane.states(t=2.5)) == len(lane.travellers)
        True
    """

    strip: Strip
    flow: Flow
    loop: float
    travellers: tuple[Traveller, ...]

    def states(self, t: float) -> list[TravellerState]:
        """Everybody on the lane at ``t`` seconds."""
        moved = self.flow.distance(t)
        states = []
        for traveller in self.travellers:
            lap, along = divmod(traveller.offset + moved, self.loop)
            y = NEAR_END + along if self.strip.heading > 0 else FAR_END - along
            states.append(TravellerState(traveller, y, int(lap)))
        return states


def sample_strips(rng: np.random.Generator) -> tuple[Strip, ...]:
    """A random cross-section, centred on x = 0, with traffic that keeps to the right."""
    lanes = int(rng.integers(1, 3))
    oncoming = [('road', 3.3, -1)] * lanes
    track = [('track', 3.4, int(rng.choice([-1, 1])))]
    leaving = [('road', 3.3, 1)] * lanes
    middle = [oncoming, track, leaving]
    if rng.random() < 0.4:  # the tram runs beside the road, not between its halves
        middle = [track, oncoming, leaving] if rng.random() < 0.5 else [oncoming, leaving, track]
    pavement = [('walk', 1.5, -1), ('walk', 1.5, 1)]
    sections = [('verge', rng.uniform(1.5, 4.0), 0), *pavement, ('bike', 1.6, -1)]
    sections += [section for part in middle for section in part]
    sections += [('bike', 1.6, 1), *pavement, ('verge', rng.uniform(1.5, 4.0), 0)]
    edges = np.cumsum([0.0, *(width for _, width, _ in sections)])
    edges -= edges[-1] / 2
    return tuple(
        Strip(kind, float(left), float(right), heading)
        for (kind, _, heading), left, right in zip(sections, edges[:-1], edges[1:], strict=True)
    )


def sample_lanes(
    strips: Sequence[Strip], classes: Sequence[str], rng: np.random.Generator
) -> tuple[Lane, ...]:
    """Traffic of the given classes on every strip that carries one of them."""
    lanes: list[Lane] = []
    number = 0
    for strip in strips:
        share = {name: part for name, part in _SHARE.get(strip.kind, {}).items() if name in classes}
        if not share:
            continue
        names, weights = list(share), np.array(list(share.values()))
        travellers = []
        end = rng.uniform(0, _GAP[strip.kind][1])
        while end < FAR_END - NEAR_END:
            name = str(rng.choice(names, p=weights / weights.sum()))
            body = body_of(name, rng)
            half = float(np.abs(body.points[:, 1]).max())
            travellers.append(Traveller(name, body, half, end + half, number))
            number += 1
            end += 2 * half + rng.uniform(*_GAP[strip.kind])
        flow = Flow(
            speed=rng.uniform(*_SPEED[strip.kind]), cruise=rng.uniform(5, 10),
            standing=rng.uniform(2, 5), ramp=rng.uniform(1, 2), phase=rng.uniform(0, 15),
        )  # fmt: skip
        lanes.append(Lane(strip, flow, max(end, FAR_END - NEAR_END), tuple(travellers)))
    return tuple(lanes)
