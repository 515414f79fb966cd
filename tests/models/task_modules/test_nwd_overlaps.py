import pytest
import torch
from mmengine.structures import InstanceData

from abc_mmdet.errors import UserError
from abc_mmdet.models.task_modules import NWDOverlaps2D
from abc_mmdet.models.wasserstein import pairwise_nwd
from mmdet.registry import TASK_UTILS
from mmdet.structures.bbox import HorizontalBoxes

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
