from .backbones import MaxViTRNN
from .data_preprocessors import EventDataPreprocessor
from .dense_heads import (
    ABCHead,
    AuxSmallObjectHead,
    ClassScoreYOLOXHead,
    IgnoreRegionYOLOXHead,
)
from .detectors import DistilledYOLOX, SlicedDetector, StreamingDetector
from .gradient_arbiter import GradientArbiter
from .losses import ABCMultiTaskLoss, NWDBlendLoss, SizeAwareIoULoss
from .necks import ABCPAFPN
from .task_modules import (
    CenterSimOTAAssigner,
    FastSimOTAAssigner,
    MinPositivesSimOTAAssigner,
    NWDOverlaps2D,
    SizedSimOTAAssigner,
)

__all__ = [
    'ABCPAFPN',
    'ABCHead',
    'ABCMultiTaskLoss',
    'AuxSmallObjectHead',
    'CenterSimOTAAssigner',
    'ClassScoreYOLOXHead',
    'DistilledYOLOX',
    'EventDataPreprocessor',
    'FastSimOTAAssigner',
    'GradientArbiter',
    'IgnoreRegionYOLOXHead',
    'MaxViTRNN',
    'MinPositivesSimOTAAssigner',
    'NWDBlendLoss',
    'NWDOverlaps2D',
    'SizeAwareIoULoss',
    'SizedSimOTAAssigner',
    'SlicedDetector',
    'StreamingDetector',
]
