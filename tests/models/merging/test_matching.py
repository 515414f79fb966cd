"""Pairs of detections that overlap."""

import pytest
import torch

from abc_mmdet.models.merging import matching


def test_pairs_are_the_same_in_many_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    corners = 50 * torch.rand(80, 2)
    boxes = torch.cat([corners, corners + 5 + 20 * torch.rand(80, 2)], dim=1)
    labels = torch.randint(0, 2, (80,))
    expected = {
        (i, j)
        for i in range(80)
        for j in range(i + 1, 80)
        if labels[i] == labels[j] and matching.overlap(boxes[i], boxes[j], 'iou') >= 0.3
    }
    assert len(expected) > 20
    for most in (1 << 20, 7, 1):
        monkeypatch.setattr(matching, 'MOST_PAIRS', most)
        pairs = matching.matching_pairs(boxes, labels, 0.3, 'iou').T.tolist()
        assert len(pairs) == len(expected)
        assert set(map(tuple, pairs)) == expected
