from .backbones import GrayCSPDarknet, MaxViTRNN
from .data_preprocessors import EventDataPreprocessor, EventFrame, PolaritySurface
from .dense_heads import (
    ABCHead,
    AuxSmallObjectHead,
    ClassScoreYOLOXHead,
    IgnoreRegionYOLOXHead,
)
from .detectors import DistilledYOLOX, SlicedDetector, StreamingDetector
from .gradient_arbiter import GradientArbiter
from .losses import ABCMultiTaskLoss, NWDBlendLoss, SizeAwareIoULoss
from .necks import ABCPAFPN, ConvLSTMAdapter, TrimmedPAFPN
from .recurrence import RecurrentModule
from .task_modules import (
    CenterSimOTAAssigner,
    FastSimOTAAssigner,
    MinPositivesSimOTAAssigner,
    NWDOverlaps2D,
    SizedSimOTAAssigner,
)
from .trackers import (
    BufferedOverlaps2D,
    FastObjectKalmanFilter,
    SizeRelativeNWDOverlaps2D,
    SmallObjectByteTracker,
    SmallObjectOCSORTTracker,
)

__all__ = [
    'ABCPAFPN',
    'ABCHead',
    'ABCMultiTaskLoss',
    'AuxSmallObjectHead',
    'BufferedOverlaps2D',
    'CenterSimOTAAssigner',
    'ClassScoreYOLOXHead',
    'ConvLSTMAdapter',
    'DistilledYOLOX',
    'EventDataPreprocessor',
    'EventFrame',
    'FastObjectKalmanFilter',
    'FastSimOTAAssigner',
    'GradientArbiter',
    'GrayCSPDarknet',
    'IgnoreRegionYOLOXHead',
    'MaxViTRNN',
    'MinPositivesSimOTAAssigner',
    'NWDBlendLoss',
    'NWDOverlaps2D',
    'PolaritySurface',
    'RecurrentModule',
    'SizeAwareIoULoss',
    'SizeRelativeNWDOverlaps2D',
    'SizedSimOTAAssigner',
    'SlicedDetector',
    'SmallObjectByteTracker',
    'SmallObjectOCSORTTracker',
    'StreamingDetector',
    'TrimmedPAFPN',
]
