"""Against precision and recall counted at every threshold."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from abc_mmdet.evaluation.error_kinds import Matches
from abc_mmdet.evaluation.score_threshold import f1_curve

from .test_matching import CATEGORIES, random_scene


@given(seed=st.integers(0, 10**6), label=st.sampled_from([None, 0, 1, 2]))
def test_every_threshold_counts_what_it_keeps(seed: int, label: int | None) -> None:
    rng = np.random.default_rng(seed)
    annotations, detections = random_scene(seed)
    counted = np.array([not a['iscrowd'] for a in annotations], bool)
    gt_labels = np.array([CATEGORIES.index(a['category_id']) for a in annotations], int)
    size = len(detections)
    matches = Matches(
        rng.integers(0, 6, size) / 5,  # many ties
        rng.integers(0, 3, size),
        np.where(rng.random(size) < 0.5, 0, -1) if counted.any() else np.full(size, -1),
        rng.random(size) < 0.1,
        gt_labels,
        counted,
    )
    boxes = int((counted & ((label is None) | (gt_labels == label))).sum())
    seen = ~matches.ignored & ((label is None) | (matches.labels == label))
    curve = f1_curve(matches, label)
    if not boxes or not seen.any():
        assert curve is None
        return
    assert curve.thresholds.tolist() == sorted(set(matches.scores[seen].tolist()), reverse=True)
    for i, threshold in enumerate(curve.thresholds):
        kept = seen & (matches.scores >= threshold)
        true = int((matches.ground_truth[kept] >= 0).sum())
        assert curve.precision[i] == pytest.approx(true / kept.sum())
        assert curve.recall[i] == pytest.approx(true / boxes)
        # F1 in its other form: twice the hits over detections and boxes
        assert curve.f1[i] == pytest.approx(2 * true / (kept.sum() + boxes))
    assert curve.f1[curve.best] == curve.f1.max()
    assert curve.best_threshold <= curve.thresholds[curve.best] < curve.best_threshold + 0.0011
