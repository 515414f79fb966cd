from .sliced_detector import SlicedDetector
from .streaming_detector import StreamingDetector

__all__ = ['SlicedDetector', 'StreamingDetector']
