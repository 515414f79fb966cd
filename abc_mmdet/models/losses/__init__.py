from .abc_multi_task_loss import ABCMultiTaskLoss
from .box_losses import NWDBlendLoss, SizeAwareIoULoss

__all__ = ['ABCMultiTaskLoss', 'NWDBlendLoss', 'SizeAwareIoULoss']
