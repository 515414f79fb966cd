"""SimOTA in which the finer levels are for the smaller boxes."""

from typing import Any

import torch
from torch import Tensor

from abc_mmdet.errors import UserError
from mmdet.registry import TASK_UTILS
from mmdet.structures.bbox import get_box_tensor

from .fast_sim_ota_assigner import FastSimOTAAssigner


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
