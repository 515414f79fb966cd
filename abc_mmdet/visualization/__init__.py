"""Pictures of what a network sees."""

from .detection_picture import draw_detections
from .event_picture import draw_boxes, draw_events
from .picture_sink import PictureSink
from .sample_picture import draw_sample, with_caption
from .slice_picture import draw_slices

__all__ = [
    'PictureSink',
    'draw_boxes',
    'draw_detections',
    'draw_events',
    'draw_sample',
    'draw_slices',
    'with_caption',
]
