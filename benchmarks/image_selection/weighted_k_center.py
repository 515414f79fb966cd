"""Points of which none is both heavy and far from all chosen ones."""

from __future__ import annotations

import numpy as np


def weighted_k_center(
    points: np.ndarray, weights: np.ndarray, number: int, centres: np.ndarray | None = None
) -> list[int]:
    """Choose points one by one, each the one with the largest weight times distance.

    The distance is that to the nearest point that was chosen before. It is the greedy heuristic of
    Dyer and Frieze (1985, "A simple heuristic for the p-centre problem"): the largest
    ``weight * distance`` that is left is at most three times the smallest that any choice of as
    many points leaves; with equal weights it is Gonzalez's (1985), and twice. As a choice of what
    to label, with equal weights: Sener and Savarese, 2018, "Active learning for convolutional
    neural networks: a core-set approach".

    Args:
        points: ``(N, D)``.
        weights: ``(N,)``, positive.
        number: how many are chosen, as far as there are.
        centres: ``(M, D)`` that are there from the start; without any, the heaviest point is chosen
            first.

    Returns:
        Places in ``points``, in the order of choice. Of points that are equally good, the heavier
        comes first, then the one that stands first.

    Examples:
        >>> points = np.array([[0.0], [1.0], [10.0], [6.0]])
        >>> weighted_k_center(points, np.ones(4), 3)
        [0, 2, 3]
        >>> weighted_k_center(points, np.array([1.0, 20.0, 1.0, 1.0]), 3)
        [1, 2, 3]
    """
    distance = np.full(len(points), np.inf)
    for centre in centres if centres is not None else ():
        distance = np.minimum(distance, _distances(points, centre))
    left = np.ones(len(points), bool)
    chosen: list[int] = []
    while len(chosen) < min(number, len(points)):
        gain = np.where(left, weights * distance, -1.0)
        best = np.flatnonzero(gain == gain.max())
        chosen.append(int(best[np.argmax(weights[best])]))
        left[chosen[-1]] = False  # also where two points are equal, none comes twice
        distance = np.minimum(distance, _distances(points, points[chosen[-1]]))
    return chosen


def _distances(points: np.ndarray, centre: np.ndarray) -> np.ndarray:
    return np.linalg.norm(points - centre, axis=1)
