"""The best pairs of tracks and detections, by SciPy's solver where the package lap is missing."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
from scipy.optimize import linear_sum_assignment

import mmdet.models.trackers.byte_tracker
import mmdet.models.trackers.ocsort_tracker


def lapjv(
    cost: np.ndarray, extend_cost: bool = True, cost_limit: float = np.inf
) -> tuple[float, np.ndarray, np.ndarray]:
    """Rows and columns in pairs, each at most once, so that the sum of all costs is the least.

    As ``lap.lapjv``: leaving a row and a column alone costs ``cost_limit``. So a pair is worth
    making for what it stays below that, and the rest is SciPy's assignment on the difference.

    Args:
        cost: ``(M, N)``.
        extend_cost: there for the signature of ``lap.lapjv``; the shape need not be square.
        cost_limit: dearer pairs are not made.

    Returns:
        The sum over the pairs, the column of each row ``(M,)`` and the row of each column
        ``(N,)``; -1 for none.

    Examples:
        >>> lapjv(np.array([[0.1, 0.9], [0.2, 0.9]]), cost_limit=0.5)[1].tolist()
        [0, -1]
    """
    of_row, of_column = (np.full(side, -1, np.int32) for side in cost.shape)
    rows, columns = linear_sum_assignment(np.minimum(cost - cost_limit, 0))
    is_pair = cost[rows, columns] < cost_limit
    rows, columns = rows[is_pair], columns[is_pair]
    of_row[rows], of_column[columns] = columns, rows
    return float(cost[rows, columns].sum()), of_row, of_column


def offer_to_mmdet() -> None:
    """Let trackers of MMDetection be built without lap, a compiled package that it does not bring.

    They refuse to be built without it and use nothing of it but ``lapjv``. SciPy, which their
    Kalman filter needs anyway, solves the same problem.
    """
    here: Any = sys.modules[__name__]
    for module in (mmdet.models.trackers.byte_tracker, mmdet.models.trackers.ocsort_tracker):
        if module.lap is None:
            module.lap = here
