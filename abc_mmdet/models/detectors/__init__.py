from .distilled_yolox import DistilledYOLOX
from .sliced_detector import SlicedDetector
from .streaming_detector import StreamingDetector

__all__ = ['DistilledYOLOX', 'SlicedDetector', 'StreamingDetector']
