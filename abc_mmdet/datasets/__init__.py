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

__all__ = [
    'EventSequenceDataset',
    'LoadEventClip',
    'PackClipInputs',
    'RandomFlipClip',
    'RandomZoomClip',
    'RecordingSampler',
    'StreamBatchSampler',
]
