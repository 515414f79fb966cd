from .abc_multi_task_loss import ABCMultiTaskLoss
from .nwd_blend_loss import NWDBlendLoss
from .size_aware_iou_loss import SizeAwareIoULoss

__all__ = ['ABCMultiTaskLoss', 'NWDBlendLoss', 'SizeAwareIoULoss']
