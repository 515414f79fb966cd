"""Images of what a network sees."""

from .boxes import DetectionVisualizer, draw_boxes, draw_detections, draw_slices
from .events import draw_events, draw_sample, with_caption
from .image_sink import ImageSink

__all__ = [
    'DetectionVisualizer',
    'ImageSink',
    'draw_boxes',
    'draw_detections',
    'draw_events',
    'draw_sample',
    'draw_slices',
    'with_caption',
]
