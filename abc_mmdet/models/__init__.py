from .backbones import MaxViTRNN
from .data_preprocessors import EventDataPreprocessor
from .dense_heads import ABCHead, AuxSmallObjectHead
from .detectors import StreamingDetector
from .losses import ABCMultiTaskLoss, SizeAwareIoULoss
from .necks import ABCPAFPN
from .task_modules import FastSimOTAAssigner

__all__ = [
    'ABCPAFPN',
    'ABCHead',
    'ABCMultiTaskLoss',
    'AuxSmallObjectHead',
    'EventDataPreprocessor',
    'FastSimOTAAssigner',
    'MaxViTRNN',
    'SizeAwareIoULoss',
    'StreamingDetector',
]
