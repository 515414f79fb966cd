"""From which score on detections are best kept."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .error_kinds import Matches


@dataclass(frozen=True)
class F1Curve:
    """Precision and recall of the detections above each score that occurs, scores falling.

    Args:
        thresholds: ``(K,)`` detections with this score or a higher one are kept.
        precision, recall: ``(K,)`` at IoU 0.5.
    """

    thresholds: np.ndarray
    precision: np.ndarray
    recall: np.ndarray

    @property
    def f1(self) -> np.ndarray:
        """``(K,)`` harmonic mean of both; 0 where both are 0."""
        total = self.precision + self.recall
        return 2 * self.precision * self.recall / np.where(total > 0, total, 1)

    @property
    def best(self) -> int:
        """Place of the best F1; of equal ones the highest threshold."""
        return int(self.f1.argmax())

    @property
    def best_threshold(self) -> float:
        """The threshold there, rounded down to the three digits that a person would type."""
        return float(np.floor(self.thresholds[self.best] * 1000) / 1000)


def f1_curve(matches: Matches, label: int | None = None) -> F1Curve | None:
    """Of one class, or of all classes pooled; None without ground truth or detections."""
    of_class = slice(None) if label is None else matches.gt_labels == label
    boxes = int(matches.counted[of_class].sum())
    seen = ~matches.ignored
    if label is not None:
        seen &= matches.labels == label
    if not boxes or not seen.any():
        return None
    order = np.argsort(-matches.scores[seen], kind='mergesort')
    scores = matches.scores[seen][order]
    true = np.cumsum(matches.ground_truth[seen][order] >= 0)
    last_of_ties = np.append(scores[1:] != scores[:-1], True)
    kept = np.flatnonzero(last_of_ties)
    return F1Curve(scores[kept], true[kept] / (kept + 1), true[kept] / boxes)
