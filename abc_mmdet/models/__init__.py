from .dense_heads import ABCHead, AuxSmallObjectHead
from .losses import ABCMultiTaskLoss, SizeAwareIoULoss
from .necks import ABCPAFPN
from .task_modules import FastSimOTAAssigner

__all__ = [
    'ABCPAFPN',
    'ABCHead',
    'ABCMultiTaskLoss',
    'AuxSmallObjectHead',
    'FastSimOTAAssigner',
    'SizeAwareIoULoss',
]
