"""Overlaps of boxes too small for IoU, for MMDetection's assigners."""

from torch import Tensor

from abc_mmdet.models.wasserstein import NWDConstant, aligned_nwd, pairwise_nwd
from mmdet.models.task_modules.assigners import BboxOverlaps2D
from mmdet.registry import TASK_UTILS
from mmdet.structures.bbox import BaseBoxes, get_box_tensor


@TASK_UTILS.register_module()
class NWDOverlaps2D(BboxOverlaps2D):
    """Normalised Wasserstein distance in place of IoU; an ``iou_calculator`` for any assigner.

    With ``FastSimOTAAssigner(iou_calculator=dict(type='NWDOverlaps2D'))`` it takes the place of
    IoU throughout: in the cost, in the number of priors a box gets (a tiny box that hardly
    overlaps any prediction gets more than one), and in the class scores that YOLOX learns.

    It suits tasks whose boxes are about as large as ``constant``: ten pixels off are as bad for a
    lorry as for a pedestrian. So it belongs into the auxiliary head's assigner first.

    Args:
        constant: mean absolute size of the boxes, in pixels of the network input. ``None``:
            :class:`NWDConstantHook` measures it before training.

    Raises:
        UserError: a constant that is not positive, or one that is needed and not known.
    """

    def __init__(self, constant: float | None = None) -> None:
        super().__init__()
        self.nwd_constant = NWDConstant(constant)

    def __call__(
        self,
        bboxes1: Tensor | BaseBoxes,
        bboxes2: Tensor | BaseBoxes,
        mode: str = 'iou',
        is_aligned: bool = False,
    ) -> Tensor:
        """Likeness in [0, 1] of ``(M, 4)`` and ``(N, 4)`` boxes, ``xyxy``.

        Args:
            mode: ``iou``; for any other (assigners ask for ``iof`` with ignored regions) the
                answer is that of :class:`BboxOverlaps2D`.
            is_aligned: compare row by row.

        Returns:
            ``(M, N)``, or ``(N,)`` if aligned; float32 for half precision.
        """
        if mode != 'iou':
            return super().__call__(bboxes1, bboxes2, mode, is_aligned)
        compare = aligned_nwd if is_aligned else pairwise_nwd
        boxes, others = get_box_tensor(bboxes1), get_box_tensor(bboxes2)
        return compare(boxes, others, self.nwd_constant.known())

    def __repr__(self) -> str:
        return f'{type(self).__name__}(constant={self.nwd_constant.value})'
