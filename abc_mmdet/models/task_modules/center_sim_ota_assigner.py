"""SimOTA as later versions of YOLOX have it, and RVT: candidates around the centre alone."""

from typing import Any

from torch import Tensor

from mmdet.registry import TASK_UTILS

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
