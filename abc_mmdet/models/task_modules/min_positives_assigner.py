"""SimOTA that gives small boxes more priors to learn from."""

from typing import Any

import torch
from torch import Tensor

from abc_mmdet.errors import UserError
from mmdet.registry import TASK_UTILS

from .fast_sim_ota_assigner import FastSimOTAAssigner


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
