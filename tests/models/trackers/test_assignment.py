"""The solver in the place of lap.lapjv."""

from itertools import permutations

import numpy as np
import pytest

from abc_mmdet.models.trackers.assignment import lapjv


def cheapest(cost: np.ndarray, limit: float) -> float:
    """Of all ways to pair rows with columns or leave both alone, by trying them."""
    rows, columns = cost.shape
    choices = [*range(columns), *[-1] * rows]
    sums = (
        sum(limit if column < 0 else cost[row, column] for row, column in enumerate(chosen))
        for chosen in set(permutations(choices, rows))
    )
    return min(sums)


@pytest.mark.parametrize('shape', [(3, 2), (2, 3), (3, 3), (1, 1)], ids=str)
def test_no_other_pairs_are_cheaper(shape: tuple[int, int]) -> None:
    rng = np.random.default_rng(0)
    for _ in range(20):
        cost, limit = rng.random(shape), rng.random()
        total, of_row, of_column = lapjv(cost, cost_limit=limit)
        assert total + limit * (of_row < 0).sum() == pytest.approx(cheapest(cost, limit))
        assert (of_row >= 0).sum() == (of_column >= 0).sum()
        for row, column in enumerate(of_row):
            assert column < 0 or (of_column[column] == row and cost[row, column] < limit)


def test_the_pairs_are_those_of_lap() -> None:
    lap = pytest.importorskip('lap')
    rng = np.random.default_rng(0)
    for _ in range(100):
        cost, limit = rng.random(rng.integers(1, 12, 2)), rng.random()
        for ours, theirs in zip(
            lapjv(cost, True, limit)[1:], lap.lapjv(cost, True, limit)[1:], strict=True
        ):
            assert np.array_equal(ours, theirs)


def test_nothing_to_pair() -> None:
    total, of_row, of_column = lapjv(np.zeros((0, 3)), cost_limit=0.5)
    assert (total, of_row.tolist(), of_column.tolist()) == (0.0, [], [-1, -1, -1])
