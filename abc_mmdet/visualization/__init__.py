"""Images of what a network sees."""

from .boxes import draw_boxes
from .detections import DetectionVisualizer, draw_detections
from .events import draw_events, draw_sample, with_caption
from .image_sink import ImageSink
from .slices import draw_slices

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
