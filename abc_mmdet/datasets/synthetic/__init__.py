"""Synthetic traffic: a seeded generator of scenes, frames and data sets.

:class:`TrafficScene` is a street as a function of continuous time; :mod:`.coco_export` puts frames
of many streets on disk. Both exist for the demo, the tests and simulated event cameras, so that
all of it runs without a download. They are no benchmark.
"""

from .participants import CLASSES, SMALL_CLASSES
from .traffic_scene import SceneObject, Sprite, TrafficScene

__all__ = ['CLASSES', 'SMALL_CLASSES', 'SceneObject', 'Sprite', 'TrafficScene']
