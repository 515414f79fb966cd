from .backbones import MaxViTRNN
from .data_preprocessors import EventDataPreprocessor
from .dense_heads import ABCHead, AuxSmallObjectHead, ClassScoreYOLOXHead
from .detectors import SlicedDetector, StreamingDetector
from .gradient_arbiter import GradientArbiter
from .losses import ABCMultiTaskLoss, NWDBlendLoss, SizeAwareIoULoss
from .necks import ABCPAFPN
from .task_modules import FastSimOTAAssigner, NWDOverlaps2D

__all__ = [
    'ABCPAFPN',
    'ABCHead',
    'ABCMultiTaskLoss',
    'AuxSmallObjectHead',
    'ClassScoreYOLOXHead',
    'EventDataPreprocessor',
    'FastSimOTAAssigner',
    'GradientArbiter',
    'MaxViTRNN',
    'NWDBlendLoss',
    'NWDOverlaps2D',
    'SizeAwareIoULoss',
    'SlicedDetector',
    'StreamingDetector',
]
