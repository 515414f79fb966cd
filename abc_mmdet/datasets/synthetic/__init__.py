"""A demo's means: streets of coloured blocks, so that all of this package runs without a download.

The demos train on it, and tests exercise tools and data sets with it. Sizes, perspective,
occlusion and traffic that stops and goes are those of a street; looks are not. It is no benchmark:
a metric reached on it says nothing about real traffic.

:class:`TrafficScene` is a street as a function of time. :mod:`.coco_export` puts frames of many
streets on disk, :mod:`.event_export` what an event camera sees of them.
"""

from .road_users import CLASSES, SMALL_CLASSES
from .traffic_scene import SceneObject, Sprite, TrafficScene

__all__ = ['CLASSES', 'SMALL_CLASSES', 'SceneObject', 'Sprite', 'TrafficScene']
