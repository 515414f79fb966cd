"""Trained detectors on images, videos and recordings."""

from .detections import Detections
from .detector import Detector
from .streaming import StreamingInferencer
from .tracking import SequenceTracker, Tracking

__all__ = ['Detections', 'Detector', 'SequenceTracker', 'StreamingInferencer', 'Tracking']
