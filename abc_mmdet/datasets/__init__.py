"""Data sets, samplers and transforms."""

from .events import (
    EventSequenceDataset,
    LoadEventClip,
    PackClipInputs,
    RandomFlipClip,
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
    'RandomTranspose',
    'RandomZoomClip',
    'RecordingSampler',
    'SameSizeBatchSampler',
    'SmallObjectCopyPaste',
    'SmallObjectSampler',
    'SmallObjectSlice',
    'StreamBatchSampler',
]
