"""SimOTA with other candidates, or with more positives for small boxes."""

from typing import Any

import torch
from torch import Tensor

from abc_mmdet.errors import UserError
from mmdet.registry import TASK_UTILS
from mmdet.structures.bbox import get_box_tensor

from .fast_sim_ota_assigner import FastSimOTAAssigner, among_valid


@TASK_UTILS.register_module()
class CenterSimOTAAssigner(FastSimOTAAssigner):
    """:class:`FastSimOTAAssigner` with the geometry constraint of YOLOX from 0.3 on, and of RVT.

    A prior is a candidate of a box if its centre lies within 1.5 strides of the box's centre on
    each axis; whether it lies in the box does not matter. SimOTA as published, and MMDetection's,
    takes priors in the box or near its centre and prefers those that are both: a small box then
    has candidates outside of it, and a large one hundreds of cells that see a part of it.

    Costs are those of YOLOX to the last constant: 1e6 for a pair that is no candidate (a box with
    too few of its own, at the border of the image, takes those of others), and 1e-8 beside an IoU.
    Source: Megvii-BaseDetection/YOLOX 0.3 (2022); Gehrig and Scaramuzza, RVT, CVPR 2023.

    Args:
        center_radius: half the side of the region around a box's centre, in strides.
        **kwargs: as of ``SimOTAAssigner``.

    Example::

        train_cfg = dict(assigner=dict(type='CenterSimOTAAssigner'))
    """

    outside_cost = 1e6
    iou_floor = 1e-8

    def __init__(self, center_radius: float = 1.5, **kwargs: Any) -> None:
        super().__init__(center_radius=center_radius, **kwargs)

    def get_in_gt_and_in_center_info(
        self, priors: Tensor, gt_bboxes: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Priors in any centre region (P,), and those of each box (valid, G)."""
        in_centers = self.in_center_regions(priors, gt_bboxes)
        return among_valid(in_centers, in_centers)


@TASK_UTILS.register_module()
class SizedSimOTAAssigner(FastSimOTAAssigner):
    """:class:`FastSimOTAAssigner` that keeps large boxes away from fine levels.

    SimOTA lets every level compete for every box. With a level of stride 4, of which a large box
    covers hundreds of cells that each see a small part of it, the larger classes pay for what the
    small ones gain. Here a level takes boxes up to ``max_cells`` of its cells, and the coarsest
    one all others, as FCOS (Tian et al. 2019) divides boxes among its levels: its ranges, 64 px on
    stride 8 and so on, are 8 cells. Below the limit any level may still be chosen.

    Args:
        max_cells: largest box of a level, as the square root of its area in strides of the level.
        **kwargs: as of ``SimOTAAssigner``.

    Raises:
        UserError: ``max_cells`` is not positive.
    """

    def __init__(self, max_cells: float = 8.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if not max_cells > 0:
            raise UserError(f'SizedSimOTAAssigner max_cells={max_cells}: give more than 0.')
        self.max_cells = max_cells

    def get_in_gt_and_in_center_info(
        self, priors: Tensor, gt_bboxes: Tensor
    ) -> tuple[Tensor, Tensor]:
        """As in SimOTA; a prior is in no box that is too large for its level.

        A box for which fewer priors are left than SimOTA's dynamic k wants takes its cheapest
        others, as in SimOTA those outside of it.
        """
        valid_mask, in_boxes_and_centers = super().get_in_gt_and_in_center_info(priors, gt_bboxes)
        strides = priors[:, 2]
        largest = torch.where(strides < strides.max(), strides * self.max_cells, torch.inf)
        boxes = get_box_tensor(gt_bboxes)
        sizes = ((boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])).sqrt()
        return valid_mask, in_boxes_and_centers & (sizes <= largest[valid_mask][:, None])


@TASK_UTILS.register_module()
class MinPositivesSimOTAAssigner(FastSimOTAAssigner):
    """:class:`FastSimOTAAssigner` in which each small box has a least number of positives.

    SimOTA gives a box as many priors as the IoUs of its ten best predictions add up to. Predictions
    for small boxes overlap them little, so they get one or two, and a small object weighs in the
    loss a fraction of what a large one does.

    Args:
        min_positives: how many priors a small box has at least (as far as there are candidates).
        max_side: boxes are small up to this square root of their area, in pixels.
        **kwargs: as of ``SimOTAAssigner``.

    Raises:
        UserError: ``min_positives`` is below 1.
    """

    def __init__(self, min_positives: int = 4, max_side: float = 16.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if min_positives < 1:
            raise UserError(
                f'MinPositivesSimOTAAssigner min_positives={min_positives}: give 1 or more.'
            )
        self.min_positives = min_positives
        self.max_side = max_side

    def least_positives(self, gt_bboxes: Tensor) -> Tensor:
        sides = (gt_bboxes[:, 2:4] - gt_bboxes[:, :2]).clamp(min=0).prod(1).sqrt()
        return torch.where(sides <= self.max_side, self.min_positives, 1)
