"""Merges of detections, against plain loops."""

import numpy as np
import pytest
import torch
from hypothesis import assume, example, given
from hypothesis import strategies as st

from abc_mmdet.errors import UserError
from abc_mmdet.models import merging
from abc_mmdet.models.merging import MERGES, MergeDetections


def test_pairs_are_the_same_in_many_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    corners = 50 * torch.rand(80, 2)
    boxes = torch.cat([corners, corners + 5 + 20 * torch.rand(80, 2)], dim=1)
    labels = torch.randint(0, 2, (80,))
    expected = {
        (i, j)
        for i in range(80)
        for j in range(i + 1, 80)
        if labels[i] == labels[j] and merging.overlap(boxes[i], boxes[j], 'iou') >= 0.3
    }
    assert len(expected) > 20
    for most in (1 << 20, 7, 1):
        monkeypatch.setattr(merging, 'MOST_PAIRS', most)
        pairs = merging.matching_pairs(boxes, labels, 0.3, 'iou').T.tolist()
        assert len(pairs) == len(expected)
        assert set(map(tuple, pairs)) == expected


# Corners on a coarse grid: equal boxes, touching ones and overlaps at the threshold are common
BOX = st.tuples(*[st.integers(0, 12)] * 2, *[st.integers(1, 8)] * 2)
DETECTIONS = st.lists(
    st.tuples(BOX, st.integers(1, 1000), st.integers(0, 2), st.integers(1, 4)), max_size=14
)
SETTINGS = st.tuples(st.sampled_from([0.3, 0.5, 0.75, 1.0]), st.sampled_from(['iou', 'ios']))


def arrays(detections: list) -> tuple[np.ndarray, ...]:
    boxes = np.array([(x, y, x + w, y + h) for (x, y, w, h), *_ in detections], float)
    scores = np.array([score / 1000 for _, score, _, _ in detections])
    labels = np.array([label for _, _, label, _ in detections], int)
    views = np.array([number for *_, number in detections], int)
    return boxes.reshape(-1, 4), scores, labels, views


def merge(kind: str, arrays: tuple[np.ndarray, ...], threshold: float, metric: str) -> tuple:
    boxes, scores, labels, views = map(torch.from_numpy, arrays)
    merged = MergeDetections(kind, threshold, metric)(boxes, scores, labels, views)
    return tuple(part.numpy() for part in merged)


def overlap(a: np.ndarray, b: np.ndarray, metric: str) -> float:
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    both = max(width, 0) * max(height, 0)
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (a, b)]
    return both / (min(areas) if metric == 'ios' else sum(areas) - both)


def groups(arrays: tuple[np.ndarray, ...], threshold: float, metric: str) -> list[list[int]]:
    """The best detection left and all that match it, again and again."""
    boxes, scores, labels, _ = arrays
    left = sorted(range(len(boxes)), key=lambda i: -scores[i])
    found = []
    while left:
        best = left[0]
        group = [
            i
            for i in left
            if i == best
            or (labels[i] == labels[best] and overlap(boxes[i], boxes[best], metric) >= threshold)
        ]
        found.append(group)
        left = [i for i in left if i not in group]
    return found


@given(DETECTIONS, SETTINGS)
def test_nms(detections: list, settings: tuple[float, str]) -> None:
    given_arrays = arrays(detections)
    boxes, scores, *_ = given_arrays
    expected = [group[0] for group in groups(given_arrays, *settings)]
    kept, merged_boxes, merged_scores = merge('nms', given_arrays, *settings)
    assert kept.tolist() == expected
    np.testing.assert_array_equal(merged_boxes, boxes[expected])
    np.testing.assert_array_equal(merged_scores, scores[expected])


@given(DETECTIONS, SETTINGS)
# The third matches the first, but no longer the box around the first two
@example(
    [((5, 0, 10, 10), 900, 0, 1), ((5, 0, 20, 10), 800, 0, 1), ((0, 0, 15, 10), 700, 0, 1)],
    (0.5, 'iou'),
)
def test_nmm(detections: list, settings: tuple[float, str]) -> None:
    threshold, metric = settings
    given_arrays = arrays(detections)
    boxes, scores, *_ = given_arrays
    expected = []
    for best, *others in groups(given_arrays, *settings):
        grown = boxes[best]
        for other in others:
            if overlap(grown, boxes[other], metric) >= threshold:
                low = np.minimum(grown[:2], boxes[other][:2])
                grown = np.concatenate([low, np.maximum(grown[2:], boxes[other][2:])])
        expected.append((best, grown))
    kept, merged_boxes, merged_scores = merge('nmm', given_arrays, *settings)
    assert kept.tolist() == [best for best, _ in expected]
    np.testing.assert_array_equal(merged_boxes.reshape(-1, 4), [g for _, g in expected] or boxes)
    np.testing.assert_array_equal(merged_scores, scores[kept])


@given(DETECTIONS, SETTINGS)
def test_wbf(detections: list, settings: tuple[float, str]) -> None:
    threshold, metric = settings
    given_arrays = arrays(detections)
    boxes, scores, labels, views = given_arrays
    clusters: list[list[int]] = []
    means: list[np.ndarray] = []
    near = 1e-9  # the choice between two groups, or at the threshold, is not a question of rounding
    for i in sorted(range(len(boxes)), key=lambda i: -scores[i]):
        found = [
            overlap(mean, boxes[i], metric) if labels[cluster[0]] == labels[i] else -1
            for mean, cluster in zip(means, clusters, strict=True)
        ]
        best = int(np.argmax(found)) if found else 0
        assume(not found or abs(found[best] - threshold) > near)
        assume(sum(abs(v - found[best]) < near for v in found if v >= threshold) <= 1)
        if found and found[best] > threshold:
            clusters[best].append(i)
        else:
            best = len(clusters)
            clusters.append([i])
            means.append(boxes[i])
        means[best] = np.average(boxes[clusters[best]], axis=0, weights=scores[clusters[best]])
    fused = {}
    for cluster, mean in zip(clusters, means, strict=True):
        seen = views[cluster[0]]
        fused[cluster[0]] = mean, scores[cluster].mean() * min(len(cluster), seen) / seen
    kept, merged_boxes, merged_scores = merge('wbf', given_arrays, *settings)
    assert sorted(kept.tolist()) == sorted(fused)
    assert (np.diff(merged_scores) <= 0).all()
    for k, box, score in zip(kept.tolist(), merged_boxes, merged_scores, strict=True):
        np.testing.assert_allclose(box, fused[k][0])
        np.testing.assert_allclose(score, fused[k][1])


@pytest.mark.parametrize('kind', MERGES)
def test_detections_far_from_each_other_stay_as_they_are(kind: str) -> None:
    # As many as a large image has, best last
    count = 5000
    corners = 20.0 * torch.stack([torch.arange(count) % 100, torch.arange(count) // 100], dim=1)
    boxes = torch.cat([corners, corners + 9], dim=1)
    scores, one = torch.linspace(0.1, 0.9, count), torch.ones(count, dtype=torch.long)
    kept, merged_boxes, merged_scores = MergeDetections(kind)(boxes, scores, one, one)
    assert torch.equal(kept, torch.arange(len(boxes)).flip(0))
    assert torch.allclose(merged_boxes, boxes.flip(0))
    assert torch.allclose(merged_scores, scores.flip(0))


@pytest.mark.parametrize('kind', MERGES)
def test_nothing_to_merge(kind: str) -> None:
    empty = torch.zeros(0, dtype=torch.long)
    kept, boxes, scores = MergeDetections(kind)(torch.zeros(0, 4), torch.zeros(0), empty, empty)
    assert kept.shape == scores.shape == (0,)
    assert boxes.shape == (0, 4)


@pytest.mark.parametrize(
    ('options', 'words'),
    [
        (dict(type='mean'), "merge.type='mean': give one of nms, nmm, wbf"),
        (dict(metric='giou'), "merge.metric='giou': give one of iou, ios"),
        (dict(threshold=0), 'merge.threshold=0'),
        (dict(threshold=50), 'merge.threshold=50'),
    ],
)
def test_wrong_settings(options: dict, words: str) -> None:
    with pytest.raises(UserError, match=words):
        MergeDetections(**options)
