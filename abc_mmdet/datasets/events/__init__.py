"""Event cameras: recordings, their representations, and streams of clips to train on."""

from .clip_transforms import LoadEventClip, PackClipInputs, RandomFlipClip, RandomZoomClip
from .event_sequence_dataset import EventSequenceDataset
from .rate_transforms import RandomRateClip
from .stream_sampler import RecordingSampler, StreamBatchSampler

__all__ = [
    'EventSequenceDataset',
    'LoadEventClip',
    'PackClipInputs',
    'RandomFlipClip',
    'RandomRateClip',
    'RandomZoomClip',
    'RecordingSampler',
    'StreamBatchSampler',
]
