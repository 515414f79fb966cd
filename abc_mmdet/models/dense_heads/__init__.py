from .abc_head import ABCHead
from .aux_small_object_head import AuxSmallObjectHead
from .class_score_yolox_head import ClassScoreYOLOXHead
from .ignore_region_head import IgnoreRegionYOLOXHead

__all__ = ['ABCHead', 'AuxSmallObjectHead', 'ClassScoreYOLOXHead', 'IgnoreRegionYOLOXHead']
