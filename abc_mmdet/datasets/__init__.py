"""Data sets, samplers and transforms."""

from .events import (
    EventSequenceDataset,
    LoadEventClip,
    PackClipInputs,
    RandomFlipClip,
    RandomRateClip,
    RandomZoomClip,
    RecordingSampler,
    StreamBatchSampler,
)
from .samplers import SameSizeBatchSampler, SmallObjectSampler
from .transforms import LoadImageOnce, RandomTranspose, SmallObjectCopyPaste, SmallObjectSlice

__all__ = [
    'EventSequenceDataset',
    'LoadEventClip',
    'LoadImageOnce',
    'PackClipInputs',
    'RandomFlipClip',
    'RandomRateClip',
    'RandomTranspose',
    'RandomZoomClip',
    'RecordingSampler',
    'SameSizeBatchSampler',
    'SmallObjectCopyPaste',
    'SmallObjectSampler',
    'SmallObjectSlice',
    'StreamBatchSampler',
]
