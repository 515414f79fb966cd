from .kalman_filter import FastObjectKalmanFilter
from .overlaps import BufferedOverlaps2D, SizeRelativeNWDOverlaps2D
from .small_object_trackers import SmallObjectByteTracker, SmallObjectOCSORTTracker

__all__ = [
    'BufferedOverlaps2D',
    'FastObjectKalmanFilter',
    'SizeRelativeNWDOverlaps2D',
    'SmallObjectByteTracker',
    'SmallObjectOCSORTTracker',
]
