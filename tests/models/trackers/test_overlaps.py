"""Likeness of boxes that do not overlap, against numbers worked out by hand."""

import math

import pytest
import torch

from abc_mmdet.errors import UserError
from abc_mmdet.models.trackers import BufferedOverlaps2D, SizeRelativeNWDOverlaps2D
from mmdet.registry import TASK_UTILS
from mmdet.structures.bbox import bbox_overlaps

SMALL = torch.tensor([[0.0, 0.0, 8.0, 8.0]])


def moved(x: float, y: float = 0.0, scale: float = 1.0) -> torch.Tensor:
    return SMALL * scale + torch.tensor([x, y, x, y])


def test_iou_of_enlarged_boxes() -> None:
    # 16 x 16 each, 8 apart: 8 * 16 of 2 * 256 - 8 * 16
    found = TASK_UTILS.build(dict(type='BufferedOverlaps2D', buffer=0.5))(SMALL, moved(8))
    assert found.item() == pytest.approx(128 / 384)
    assert BufferedOverlaps2D(buffer=0.5)(SMALL, moved(15.9)).item() > 0
    assert BufferedOverlaps2D(buffer=0.5)(SMALL, moved(16)).item() == 0
    boxes = torch.rand(6, 4, generator=torch.Generator().manual_seed(0)).sort(dim=1).values
    assert torch.equal(BufferedOverlaps2D(buffer=0)(boxes, boxes), bbox_overlaps(boxes, boxes))


def test_wasserstein_distance_over_the_size() -> None:
    overlaps = SizeRelativeNWDOverlaps2D(scale=1.5)
    assert overlaps(SMALL, moved(9, 12)).item() == pytest.approx(math.exp(-15 / (1.5 * 8)))
    # Twice as large as well: half sides differ by 4, centres by 4, and the mean size is 12
    distance = math.sqrt(2 * 4**2 + 2 * 4**2)
    found = overlaps(SMALL, moved(0, 0, 2.0)).item()
    assert found == pytest.approx(math.exp(-distance / (1.5 * 12)))
    both = torch.cat([SMALL, moved(30, 2)])
    large = overlaps(both * 10, both * 10)
    assert torch.allclose(overlaps(both, both), large)  # the same at any distance of the camera


def test_boxes_without_area_are_only_like_themselves() -> None:
    point = torch.tensor([[3.0, 3.0, 3.0, 3.0]])
    both = torch.cat([point, point + 1])
    assert SizeRelativeNWDOverlaps2D()(both, both).tolist() == [[1, 0], [0, 1]]


def test_mistakes() -> None:
    with pytest.raises(UserError, match='buffer=-1: give'):
        BufferedOverlaps2D(buffer=-1)
    with pytest.raises(UserError, match='scale=0: give'):
        SizeRelativeNWDOverlaps2D(scale=0)
