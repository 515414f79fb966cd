"""Pictures of what a network sees."""

from .detection_picture import draw_detections
from .detection_visualizer import DetectionVisualizer
from .event_picture import draw_events
from .labelled_boxes import draw_boxes
from .picture_sink import PictureSink
from .sample_picture import draw_sample, with_caption
from .slice_picture import draw_slices

__all__ = [
    'DetectionVisualizer',
    'PictureSink',
    'draw_boxes',
    'draw_detections',
    'draw_events',
    'draw_sample',
    'draw_slices',
    'with_caption',
]
