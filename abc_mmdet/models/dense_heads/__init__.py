from .abc_head import ABCHead
from .aux_small_object_head import AuxSmallObjectHead
from .yolox_head_variants import ClassScoreYOLOXHead, IgnoreRegionYOLOXHead

__all__ = ['ABCHead', 'AuxSmallObjectHead', 'ClassScoreYOLOXHead', 'IgnoreRegionYOLOXHead']
