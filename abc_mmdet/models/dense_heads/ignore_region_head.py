"""Heads of YOLOX that learn nothing about regions in which objects are not labelled."""

from __future__ import annotations

from typing import Any

import torch
from mmengine.structures import InstanceData
from torch import Tensor

from abc_mmdet.errors import UserError
from abc_mmdet.models.task_modules.ignored_regions import in_ignored_regions
from mmdet.models.dense_heads import YOLOXHead
from mmdet.registry import MODELS
from mmdet.structures.bbox import get_box_tensor

IGNORED = -1.0  # targets below 0 are masked out by MMDetection's binary cross-entropy


class IgnoreRegions:
    """To be put before :class:`YOLOXHead` among the parents of a head.

    :class:`IgnoreRegionYOLOXHead` says what it does.

    Args:
        *args, **kwargs: as of the next class.
        ignore_iof_thr: share of a predicted box from which on it lies in an ignored region.

    Raises:
        UserError: a share out of 0 to 1.
    """

    def __init__(self, *args: Any, ignore_iof_thr: float = 0.5, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not 0 <= ignore_iof_thr < 1:
            raise UserError(
                f'{type(self).__name__} ignore_iof_thr={ignore_iof_thr}: give a share of the box, '
                'from 0 to below 1.'
            )
        self.ignore_iof_thr = ignore_iof_thr

    @torch.no_grad()
    def _get_targets_single(
        self,
        priors: Tensor,
        cls_preds: Tensor,
        decoded_bboxes: Tensor,
        objectness: Tensor,
        gt_instances: InstanceData,
        img_meta: dict,
        gt_instances_ignore: InstanceData | None = None,
    ) -> tuple:
        targets = super()._get_targets_single(  # type: ignore[misc]
            *(priors, cls_preds, decoded_bboxes, objectness),
            *(gt_instances, img_meta, gt_instances_ignore),
        )
        if gt_instances_ignore is None or len(gt_instances_ignore) == 0:
            return targets
        is_object, _, obj_target, *_ = targets
        regions = get_box_tensor(gt_instances_ignore.bboxes)
        obj_target[self.ignored_priors(priors, decoded_bboxes, regions) & ~is_object] = IGNORED
        return targets

    def ignored_priors(self, priors: Tensor, decoded_bboxes: Tensor, regions: Tensor) -> Tensor:
        """Which priors are not taught that there is no object, ``(P,)``.

        Args:
            priors: ``(P, 4)`` corner and strides of the cells.
            decoded_bboxes: ``(P, 4)`` predicted boxes.
            regions: ``(R, 4)``, R at least 1.
        """
        return in_ignored_regions(decoded_bboxes, regions, self.ignore_iof_thr)


@MODELS.register_module()
class IgnoreRegionYOLOXHead(IgnoreRegions, YOLOXHead):
    """A :class:`YOLOXHead` that heeds ignored instances in training.

    Data sets mark regions in which objects are there but not labelled one by one: COCO's crowds
    (``iscrowd``), VisDrone's ignored regions, TinyPerson's crowds and reflections. MMDetection
    hands them on as ``ignored_instances``, and YOLOX teaches that there is background. Here a
    prior whose predicted box lies in such a region has no target for objectness: what it says is
    neither right nor wrong. It learns as ever where it is assigned to an object. (Class and box are
    learnt from objects alone.)

    The box that counts is the predicted one, not the cell of the prior: it is what would be a
    false alarm, an evaluation looks at the same box and share, and a cell of stride 32 is larger
    than many regions. ``MaxIoUAssigner`` does the same for the second stage, where the boxes to be
    classified are those predicted by the first.

    Network, parameters and their names, and without ignored instances the loss, are those of
    :class:`YOLOXHead`, bit for bit.

    Args:
        ignore_iof_thr: a prior is ignored if more than this share of its predicted box lies in one
            ignored region (``ignore_iof_thr`` of ``MaxIoUAssigner``).
        **kwargs: as in :class:`YOLOXHead`.

    Raises:
        UserError: a share out of 0 to 1.

    Example::

        model = dict(bbox_head=dict(type='IgnoreRegionYOLOXHead'))
    """
