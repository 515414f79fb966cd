"""Trained detectors on images, videos and recordings."""

from .detections import Detections
from .detector import Detector

__all__ = ['Detections', 'Detector']
