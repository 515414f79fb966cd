"""Which points are chosen, and how far from the best choice that is."""

import sys
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

sys.path.append(str(Path(__file__).parents[3] / 'benchmarks'))

from image_selection.weighted_k_center import weighted_k_center


def left_over(points: np.ndarray, weights: np.ndarray, chosen: np.ndarray) -> float:
    """The largest weight times distance to the nearest of these."""
    return max(
        w * min(float(np.hypot(*(p - c))) for c in chosen)
        for p, w in zip(points, weights, strict=True)
    )


point = st.tuples(st.integers(0, 20), st.integers(0, 20))


@given(
    st.lists(st.tuples(point, st.integers(1, 9)), min_size=1, max_size=8),
    st.lists(point, max_size=2),
    st.integers(1, 4),
)
def test_at_most_three_times_the_best_choice_of_all(weighted, centres, number) -> None:
    points = np.array([p for p, _ in weighted], float)
    weights = np.array([w for _, w in weighted], float)
    known = np.array(centres, float).reshape(-1, 2)
    chosen = weighted_k_center(points, weights, number, known if len(known) else None)
    number = min(number, len(points))
    assert len(chosen) == len(set(chosen)) == number
    best = min(
        left_over(points, weights, np.concatenate([known, points[list(some)]]))
        for some in combinations(range(len(points)), number)
    )
    ours = left_over(points, weights, np.concatenate([known, points[chosen]]))
    assert best <= ours <= 3 * best + 1e-9


@given(st.lists(point, min_size=1, max_size=8), st.integers(1, 4))
def test_equal_weights_at_most_twice(places, number) -> None:
    points, weights = np.array(places, float), np.ones(len(places))
    chosen = weighted_k_center(points, weights, number)
    best = min(
        left_over(points, weights, points[list(some)])
        for some in combinations(range(len(points)), min(number, len(points)))
    )
    assert left_over(points, weights, points[chosen]) <= 2 * best + 1e-9


@pytest.mark.parametrize(
    ('weights', 'centres', 'chosen'),
    [
        ([1, 1, 1, 1], None, [0, 2, 3]),  # 0, then 10 away, then 4 from the nearest
        ([1, 1, 1, 1], [10], [0, 3, 1]),  # the others are 10, 9, 4 away; then 4 is farther than 1
        ([1, 9, 1, 1], [0], [2, 1, 3]),  # 10, against 9 * 1
        ([1, 9, 1, 2], [0], [3, 1, 2]),  # 2 * 6; then 9 * 1, against 1 * 4
    ],
)
def test_counted_cases(weights: list[int], centres: list[int] | None, chosen: list[int]) -> None:
    points = np.array([[0.0], [1.0], [10.0], [6.0]])
    known = None if centres is None else np.array([centres], float)
    assert weighted_k_center(points, np.array(weights, float), 3, known) == chosen


def test_copies_come_last_and_the_heavier_first() -> None:
    points = np.array([[0.0], [0.0], [0.0], [5.0]])
    assert weighted_k_center(points, np.array([1.0, 3.0, 2.0, 1.0]), 9) == [1, 3, 2, 0]
    assert weighted_k_center(np.zeros((0, 2)), np.zeros(0), 3) == []
