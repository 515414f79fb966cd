"""Likeness of boxes that hardly overlap, in assigners and against numbers worked out by hand."""

import math

import pytest
import torch
from mmengine.structures import InstanceData

from abc_mmdet.errors import UserError
from abc_mmdet.models.task_modules import NWDOverlaps2D
from abc_mmdet.models.trackers import BufferedOverlaps2D, SizeRelativeNWDOverlaps2D
from abc_mmdet.models.wasserstein import pairwise_nwd
from mmdet.registry import TASK_UTILS
from mmdet.structures.bbox import HorizontalBoxes, bbox_overlaps

NWD = dict(type='NWDOverlaps2D', constant=12.0)


def scene(num_priors: int = 64, num_boxes: int = 5) -> tuple[InstanceData, InstanceData]:
    """Predictions of an 8 x 8 grid of stride 4, and tiny boxes."""
    cells = torch.arange(8) * 4.0 + 2
    centers = torch.cartesian_prod(cells, cells)[:num_priors]
    priors = torch.cat([centers, torch.full_like(centers, 4.0)], dim=1)
    half = 1 + 3 * torch.rand(num_priors, 2)
    predictions = InstanceData(
        priors=priors,
        bboxes=torch.cat([centers - half, centers + half], dim=1),
        scores=torch.rand(num_priors, 3),
    )
    corner = torch.rand(num_boxes, 2) * 24
    boxes = torch.cat([corner, corner + 2 + 2 * torch.rand(num_boxes, 2)], dim=1)
    return predictions, InstanceData(bboxes=boxes, labels=torch.randint(3, (num_boxes,)))


@pytest.mark.parametrize('box_type', [torch.as_tensor, HorizontalBoxes])
def test_takes_what_assigners_hand_over(box_type) -> None:
    predictions, truth = scene()
    calculator = TASK_UTILS.build(NWD)
    with_scores = torch.cat([predictions.bboxes, torch.rand(64, 1)], dim=1)
    expected = pairwise_nwd(predictions.bboxes, truth.bboxes, 12.0)
    assert torch.equal(calculator(with_scores, box_type(truth.bboxes)), expected)
    aligned = calculator(predictions.bboxes[:5], box_type(truth.bboxes), is_aligned=True)
    torch.testing.assert_close(aligned, expected[:5].diagonal())
    assert calculator(predictions.bboxes[:0], truth.bboxes).shape == (0, 5)
    iof = TASK_UTILS.build(dict(type='BboxOverlaps2D'))(predictions.bboxes, truth.bboxes, 'iof')
    assert torch.equal(calculator(predictions.bboxes, truth.bboxes, 'iof'), iof)


def test_fast_assigner_agrees_with_mmdetections() -> None:
    """Whose costs are computed otherwise, so the calculator is used as both expect."""
    predictions, truth = scene()
    ours, theirs = (
        TASK_UTILS.build(dict(type=name, iou_calculator=NWD)).assign(predictions, truth)
        for name in ('FastSimOTAAssigner', 'SimOTAAssigner')
    )
    assert torch.equal(ours.gt_inds, theirs.gt_inds)
    assert torch.equal(ours.labels, theirs.labels)
    torch.testing.assert_close(ours.max_overlaps, theirs.max_overlaps)


def test_tiny_boxes_get_more_priors_than_by_iou() -> None:
    predictions, truth = scene()
    by_iou, by_nwd = (
        TASK_UTILS.build(dict(type='FastSimOTAAssigner', **options)).assign(predictions, truth)
        for options in ({}, dict(iou_calculator=NWD))
    )
    assert (by_nwd.gt_inds > 0).sum() > 1.5 * (by_iou.gt_inds > 0).sum()
    matched = by_nwd.gt_inds > 0
    boxes = truth.bboxes[by_nwd.gt_inds[matched] - 1]
    expected = NWDOverlaps2D(12.0)(predictions.bboxes[matched], boxes, is_aligned=True)
    torch.testing.assert_close(by_nwd.max_overlaps[matched], expected)


def test_other_assigners_use_it() -> None:
    predictions, truth = scene()
    assigner = TASK_UTILS.build(
        dict(type='MaxIoUAssigner', pos_iou_thr=0.7, neg_iou_thr=0.5, iou_calculator=NWD)
    )
    result = assigner.assign(InstanceData(priors=predictions.bboxes), truth)
    assert set(result.gt_inds[result.gt_inds > 0].tolist()) == {1, 2, 3, 4, 5}


def test_half_precision_predictions() -> None:
    predictions, truth = scene()
    predictions.bboxes = predictions.bboxes.half()
    result = TASK_UTILS.build(dict(type='FastSimOTAAssigner', iou_calculator=NWD)).assign(
        predictions, truth
    )
    assert (result.gt_inds > 0).sum() >= 5
    assert result.max_overlaps.dtype == torch.float32


def test_unmeasured_constant_is_said() -> None:
    predictions, truth = scene()
    calculator = NWDOverlaps2D()
    assert repr(calculator) == 'NWDOverlaps2D(constant=None)'
    with pytest.raises(UserError, match='nobody has measured it'):
        calculator(predictions.bboxes, truth.bboxes)


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
