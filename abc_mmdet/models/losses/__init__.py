from .abc_multi_task_loss import ABCMultiTaskLoss
from .size_aware_iou_loss import SizeAwareIoULoss

__all__ = ['ABCMultiTaskLoss', 'SizeAwareIoULoss']
