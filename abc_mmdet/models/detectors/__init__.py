from .streaming_detector import StreamingDetector

__all__ = ['StreamingDetector']
