"""Which predictions lie in regions of an image that are not labelled."""

from __future__ import annotations

from torch import Tensor

from mmdet.structures.bbox import bbox_overlaps


def in_ignored_regions(boxes: Tensor, regions: Tensor, iof_thr: float) -> Tensor:
    """Whether more than a share of each box lies in one of the regions.

    MMDetection's ``MaxIoUAssigner`` decides so about anchors and proposals (``ignore_iof_thr``):
    what is classified is the foreground, its own area the denominator, and the share has to be
    larger than the threshold.

    Args:
        boxes: ``(P, 4)``, ``xyxy``.
        regions: ``(R, 4)``, ``xyxy``, in the same pixels. A box in two of them counts by the one it
            lies in more.
        iof_thr: the share.

    Returns:
        bool ``(P,)``.

    Examples:
        >>> import torch
        >>> boxes = torch.tensor([[0.0, 0.0, 8.0, 8.0], [4.0, 0.0, 12.0, 8.0], [5.0, 0, 13.0, 8.0]])
        >>> in_ignored_regions(boxes, torch.tensor([[0.0, 0.0, 8.0, 8.0]]), 0.4).tolist()
        [True, True, False]
    """
    if not len(regions):
        return boxes.new_zeros(len(boxes)).bool()
    return bbox_overlaps(boxes, regions, mode='iof').amax(1) > iof_thr
