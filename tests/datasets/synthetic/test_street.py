"""Traffic on the street as a function of time."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from abc_mmdet.datasets.synthetic.road_users import CLASSES
from abc_mmdet.datasets.synthetic.street import (
    FAR_END,
    NEAR_END,
    Flow,
    sample_lanes,
    sample_strips,
)

seconds = st.floats(0.1, 20)


@given(st.floats(0.5, 15), seconds, seconds, seconds, st.floats(0, 30), st.floats(0, 200))
def test_flow_is_the_integral_of_a_speed_within_limits(
    speed: float, cruise: float, standing: float, ramp: float, phase: float, t: float
) -> None:
    flow = Flow(speed, cruise, standing, ramp, phase)
    steps = np.array([flow.distance(t + dt) for dt in np.linspace(0, 1, 101)])
    moved = np.diff(steps)
    assert (moved >= -1e-9).all()
    assert (moved <= speed * 0.01 + 1e-9).all()


def test_flow_covers_a_known_distance_per_cycle_and_stands_still() -> None:
    flow = Flow(speed=10, cruise=4, standing=3, ramp=2, phase=0)
    assert flow.distance(4) == pytest.approx(40)
    assert flow.distance(6) == pytest.approx(50)  # slowing down: half the speed on average
    assert flow.distance(8.9) == pytest.approx(50)
    assert flow.distance(11) == pytest.approx(60)
    assert flow.distance(11 * 7) == pytest.approx(60 * 7)


def test_nobody_runs_into_anybody() -> None:
    for seed in range(5):
        rng = np.random.default_rng(seed)
        for lane in sample_lanes(sample_strips(rng), CLASSES, rng):
            for t in (0.0, 13.7, 200.0):
                spans = sorted(
                    (state.y - half, state.y + half)
                    for state in lane.states(t)
                    for half in [state.traveller.half_length]
                )
                assert all(a[1] <= b[0] + 1e-6 for a, b in pairwise(spans))


def test_everybody_keeps_to_the_right_and_stays_on_the_street() -> None:
    rng = np.random.default_rng(3)
    for lane in sample_lanes(sample_strips(rng), CLASSES, rng):
        if lane.strip.kind in ('road', 'bike'):
            before = {state.traveller.number: state.y for state in lane.states(0.0)}
            after = {state.traveller.number: state.y for state in lane.states(0.01)}
            for number, y in before.items():
                step = after[number] - y
                assert abs(step) > 1 or step * lane.strip.heading >= 0  # or has begun a new round
        for state in lane.states(5.0):
            assert state.y >= NEAR_END if lane.strip.heading > 0 else state.y <= FAR_END


def test_only_the_classes_asked_for_appear() -> None:
    rng = np.random.default_rng(0)
    strips = sample_strips(rng)
    lanes = sample_lanes(strips, ('tram', 'bicycle'), rng)
    names = {who.name for lane in lanes for who in lane.travellers}
    assert names <= {'tram', 'bicycle'} and names
    assert sample_lanes(strips, (), rng) == ()
