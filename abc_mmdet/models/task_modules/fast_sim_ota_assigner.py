"""SimOTA assignment without a loop over boxes and without a (priors, boxes, classes) tensor."""

from collections import Counter
from typing import Any

import torch
import torch.nn.functional as F
from mmengine.structures import InstanceData
from torch import Tensor

from mmdet.models.task_modules.assigners import AssignResult, BboxOverlaps2D, SimOTAAssigner
from mmdet.models.task_modules.assigners.sim_ota_assigner import EPS, INF
from mmdet.registry import TASK_UTILS
from mmdet.structures.bbox import get_box_tensor

LOG_FLOOR = -100.0  # where F.binary_cross_entropy clamps its logarithms
UNION_FLOOR = 1e-6  # the default eps of mmdet.structures.bbox.bbox_overlaps


@TASK_UTILS.register_module()
class FastSimOTAAssigner(SimOTAAssigner):
    """A drop-in for MMDetection's ``SimOTAAssigner``: same arguments, same result, less work.

    - A box's class cost depends on the box only through its label, so logarithms are taken once
      per (prior, class) and each box picks the row of its class.
    - All boxes with the same dynamic k share one ``torch.topk``, and all dynamic k reach the
      host in one transfer. Priors claimed by several boxes are resolved together.

    Pairwise tensors have MMDetection's shape ``(priors, boxes)`` but lie box by box in memory,
    and few are alive at a time: fresh memory costs more than the arithmetic on it.

    The class cost is summed in float64 and then cast to the scores' dtype. MMDetection sums in
    float32, for float64 scores too, so the two can choose differently between candidates whose
    costs agree to about 1e-5 (an exact tie, for example, that the order of that sum breaks).

    Unlike MMDetection's it takes ``BaseBoxes`` as ground truth and float64 predictions, and its
    result never carries a gradient. Predictions that are NaN are assigned somehow: the loss is NaN
    then, which can be reported with its batch, while an error from here could not.
    Source: SimOTA as in YOLOX, Ge et al. 2021, arXiv:2107.08430.

    Args: those of ``SimOTAAssigner``. Only the default ``iou_calculator`` is accelerated.
    """

    outside_cost = INF
    """Added to the cost of a pair whose prior is not in the box and in its centre region both."""
    iou_floor = EPS
    """Added to an IoU before its logarithm."""
    _least: Tensor | int = 1

    @torch.no_grad()
    def assign(
        self,
        pred_instances: InstanceData,
        gt_instances: InstanceData,
        gt_instances_ignore: InstanceData | None = None,
        **kwargs: Any,
    ) -> AssignResult:
        """Assign a box, or none, to each prior.

        Args:
            pred_instances: ``priors`` (P, 4) as centre x, centre y, stride x, stride y and
                ``bboxes`` (P, 4) as x1, y1, x2, y2, in pixels; ``scores`` (P, C) in [0, 1].
            gt_instances: ``bboxes`` (G, 4) in pixels and ``labels`` (G,).
            gt_instances_ignore: Accepted and not used, as in MMDetection: what is not assigned
                is left to the head (:class:`IgnoreRegionYOLOXHead`).

        Returns:
            ``gt_inds`` (P,): index of the box plus 1, or 0; ``labels`` (P,): its class or -1;
            ``max_overlaps`` (P,): IoU with it, float32.

        Raises:
            RuntimeError: A score is outside [0, 1] (on CUDA a device-side assertion).
        """
        bboxes = get_box_tensor(pred_instances.bboxes)
        gt_bboxes, gt_labels = get_box_tensor(gt_instances.bboxes), gt_instances.labels
        num_priors, num_gt = bboxes.size(0), gt_bboxes.size(0)
        if num_priors == 0 or num_gt == 0:
            return super().assign(pred_instances, gt_instances, gt_instances_ignore, **kwargs)
        valid_mask, in_boxes_and_centers = self.get_in_gt_and_in_center_info(
            pred_instances.priors, gt_bboxes
        )
        valid = valid_mask.nonzero().squeeze(1)
        if valid.numel() == 0:  # the inherited method knows what an empty result looks like
            return super().assign(pred_instances, gt_instances, gt_instances_ignore, **kwargs)

        ious = self.pairwise_ious(bboxes[valid], gt_bboxes)
        cost = torch.log(ious + self.iou_floor).mul_(-self.iou_weight)
        cost = _add_in_place(cost, self.class_cost(pred_instances.scores[valid], gt_labels))
        cost = _add_in_place(torch.where(in_boxes_and_centers, 0.0, self.outside_cost), cost)
        # Not an argument: dynamic_k_matching has MMDetection's signature
        self._least = self.least_positives(gt_bboxes)
        matched_ious, matched_gts = self.dynamic_k_matching(cost, ious, num_gt, valid_mask)

        # masked_scatter_ rather than a boolean index, which synchronises with the device
        gt_inds = valid.new_zeros(num_priors).masked_scatter_(valid_mask, matched_gts + 1)
        labels = valid.new_full((num_priors,), -1)
        labels.masked_scatter_(valid_mask, gt_labels[matched_gts].long())
        max_overlaps = torch.full_like(labels, -INF, dtype=torch.float32)
        max_overlaps.masked_scatter_(valid_mask, matched_ious.float())
        return AssignResult(num_gt, gt_inds, max_overlaps, labels=labels)

    def least_positives(self, gt_bboxes: Tensor) -> Tensor | int:
        """How many priors each box has at least; SimOTA's 1 here, (G,) in children."""
        return 1

    def pairwise_ious(self, bboxes: Tensor, gt_bboxes: Tensor) -> Tensor:
        """IoU of each prediction with each box, (P, G).

        MMDetection's calculator takes longer than all the rest of the assignment because it
        works on (P, G, 2) tensors. The default one is replaced by the same arithmetic on one
        coordinate at a time, equal bit for bit; any other is called as it is.
        """
        calculator = self.iou_calculator
        if type(calculator) is not BboxOverlaps2D or calculator.dtype == 'fp16':
            return calculator(bboxes, gt_bboxes).t().contiguous().t()
        x1, y1, x2, y2 = bboxes.t()[:4].contiguous()
        gt_x1, gt_y1, gt_x2, gt_y2 = gt_bboxes.t()[:4].unsqueeze(-1)
        area, gt_area = (x2 - x1) * (y2 - y1), (gt_x2 - gt_x1) * (gt_y2 - gt_y1)

        overlap, low_edge = torch.min(gt_x2, x2), torch.max(gt_x1, x1)
        overlap.sub_(low_edge).clamp_(min=0)
        height = torch.min(gt_y2, y2)
        height.sub_(torch.max(gt_y1, y1, out=low_edge)).clamp_(min=0)
        overlap.mul_(height)
        union = torch.add(area, gt_area, out=height).sub_(overlap).clamp_(min=UNION_FLOOR)
        return overlap.div_(union).t()

    def class_cost(self, scores: Tensor, gt_labels: Tensor) -> Tensor:
        """Weighted cross-entropy of scores (P, C) with the boxes' one-hot labels, (P, G).

        What a prior pays when no class is right, less the term of the box's class, plus that
        term with the class right. In float64 the subtraction is harmless even for a score of 1,
        whose term is clamped at 100.
        """
        with torch.autocast(scores.device.type, enabled=False):
            scores64 = scores.double()
            extremes = torch.stack(scores64.aminmax())
            # refuses scores outside [0, 1] as MMDetection does, without a synchronisation
            F.binary_cross_entropy(extremes.nan_to_num(0.0), torch.zeros_like(extremes))
            wrong = (-scores64).log1p_().clamp_(min=LOG_FLOOR).neg_()
            right = scores64.log().clamp_(min=LOG_FLOOR).neg_()
            # along the last dimension, where equal priors get equal sums wherever they lie
            cost = (wrong.sum(1, keepdim=True) - wrong).add_(right).to(scores.dtype)
        cost_by_class = (cost * self.cls_weight).t().contiguous()
        return cost_by_class.index_select(0, gt_labels.long()).t()

    def get_in_gt_and_in_center_info(
        self, priors: Tensor, gt_bboxes: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Which priors lie in any box or centre region (P,), and which in both (valid, G).

        MMDetection tests ``min(distances) > 0`` on (P, 4, G) stacks. A floating-point difference
        is positive exactly if its first term is the larger, so comparing the coordinates decides
        the same, on the borders too.
        """
        x, y = priors.t()[:2].contiguous()
        x1, y1, x2, y2 = get_box_tensor(gt_bboxes).t()[:4].unsqueeze(-1)
        in_boxes = x > x1
        in_boxes &= y > y1
        in_boxes &= x < x2
        in_boxes &= y < y2
        in_centers = self.in_center_regions(priors, gt_bboxes)
        return among_valid(in_boxes | in_centers, in_boxes.logical_and_(in_centers))

    def in_center_regions(self, priors: Tensor, gt_bboxes: Tensor) -> Tensor:
        """Which priors lie within ``center_radius`` strides of each box's centre, (G, P)."""
        x, y, stride_x, stride_y = priors.t()[:4].contiguous()
        x1, y1, x2, y2 = get_box_tensor(gt_bboxes).t()[:4].unsqueeze(-1)
        center_x, center_y = (x1 + x2) / 2.0, (y1 + y2) / 2.0
        radius_x, radius_y = self.center_radius * stride_x, self.center_radius * stride_y
        edge = center_x - radius_x
        in_centers = x > edge
        in_centers &= y > torch.sub(center_y, radius_y, out=edge)
        in_centers &= x < torch.add(center_x, radius_x, out=edge)
        in_centers &= y < torch.add(center_y, radius_y, out=edge)
        return in_centers

    def dynamic_k_matching(
        self, cost: Tensor, pairwise_ious: Tensor, num_gt: int, valid_mask: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Give each box its dynamic k cheapest priors, then each prior its cheapest box.

        ``cost`` and ``pairwise_ious`` are (valid, G); ``valid_mask`` (P,) is narrowed in place to
        the matched priors. Returns their IoUs and the indices of their boxes.
        """
        candidate_topk = min(self.candidate_topk, pairwise_ious.size(0))
        topk_ious, _ = torch.topk(pairwise_ious, candidate_topk, dim=0)
        # IoUs of predictions that are no numbers may add up to anything
        dynamic_ks = topk_ious.sum(0).int()
        dynamic_ks = torch.clamp(torch.clamp(dynamic_ks, min=self._least), max=candidate_topk)

        # which of several equal costs topk returns depends on k, so a call has one k only
        cost_by_gt = cost.t()
        dynamic_ks, gts = dynamic_ks.sort()
        num_gts_of_k = Counter(dynamic_ks.tolist())
        claims = []
        for k, same_k in zip(num_gts_of_k, gts.split(list(num_gts_of_k.values())), strict=True):
            cheapest = torch.topk(cost_by_gt.index_select(0, same_k), k, dim=1, largest=False)
            claims.append(cheapest.indices.flatten())
        priors = torch.cat(claims)
        gts = gts.repeat_interleave(dynamic_ks, output_size=priors.numel())

        num_claims = priors.new_zeros(cost.size(0))
        num_claims.index_add_(0, priors, torch.ones_like(priors))
        claimants = torch.zeros_like(num_claims)
        claimants[priors] = gts
        matched_gts = torch.where(num_claims > 1, torch.min(cost_by_gt, dim=0).indices, claimants)

        is_matched = num_claims > 0
        valid_mask.masked_scatter_(valid_mask.clone(), is_matched)
        matched = is_matched.nonzero().squeeze(1)
        matched_gts = matched_gts[matched]
        return pairwise_ious[matched, matched_gts], matched_gts


def among_valid(candidates: Tensor, preferred: Tensor) -> tuple[Tensor, Tensor]:
    """Priors that are a candidate of any box (P,), and of these the preferred pairs (valid, G).

    Args:
        candidates, preferred: of pairs, (G, P).
    """
    valid_mask = candidates.amax(0)
    valid = valid_mask.nonzero().t().expand(candidates.size(0), -1)
    return valid_mask, preferred.gather(1, valid).t()


def _add_in_place(total: Tensor, term: Tensor) -> Tensor:
    """``total + term`` with PyTorch's type promotion, in total's memory if its dtype allows."""
    return total.to(torch.promote_types(total.dtype, term.dtype)).add_(term)
