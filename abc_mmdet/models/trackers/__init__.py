from abc_mmdet.models.task_modules.overlaps import BufferedOverlaps2D, SizeRelativeNWDOverlaps2D

from .small_object_trackers import (
    FastObjectKalmanFilter,
    SmallObjectByteTracker,
    SmallObjectOCSORTTracker,
)

__all__ = [
    'BufferedOverlaps2D',
    'FastObjectKalmanFilter',
    'SizeRelativeNWDOverlaps2D',
    'SmallObjectByteTracker',
    'SmallObjectOCSORTTracker',
]
