"""Shares of boxes in regions, against counting pixels."""

import numpy as np
import torch

from abc_mmdet.models.task_modules.ignored_regions import in_ignored_regions


def test_shares_are_those_of_pixels_counted() -> None:
    rng = np.random.default_rng(0)
    boxes, regions = (
        np.concatenate([low := rng.integers(0, 24, (n, 2)), low + rng.integers(1, 16, (n, 2))], 1)
        for n in (200, 3)
    )
    for threshold in (0.0, 0.25, 0.5, 0.9):
        expected = []
        for x1, y1, x2, y2 in boxes:
            shares = []
            for rx1, ry1, rx2, ry2 in regions:
                image = np.zeros((48, 48), bool)
                image[ry1:ry2, rx1:rx2] = True
                shares.append(image[y1:y2, x1:x2].mean())
            expected.append(max(shares) > threshold)
        found = in_ignored_regions(torch.tensor(boxes).float(), torch.tensor(regions), threshold)
        assert found.tolist() == expected
        assert 0 < sum(expected) < len(expected)


def test_the_share_has_to_be_larger_as_in_max_iou_assigner() -> None:
    boxes = torch.tensor([[0.0, 0, 8, 8], [0, 0, 8, 9], [0, 0, 9, 8], [100, 0, 108, 8]])
    half = torch.tensor([[0.0, 0.0, 4.0, 8.0]])
    assert not in_ignored_regions(boxes, half, 0.5).any()
    assert in_ignored_regions(boxes, half, 0.4).tolist() == [True, True, True, False]


def test_without_regions_nothing_is_ignored() -> None:
    assert not in_ignored_regions(torch.rand(5, 4), torch.zeros(0, 4), 0.0).any()
