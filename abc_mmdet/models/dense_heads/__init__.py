from .abc_head import ABCHead
from .aux_small_object_head import AuxSmallObjectHead
from .class_score_yolox_head import ClassScoreYOLOXHead
from .grown_yolox_head import GrownYOLOXHead

__all__ = ['ABCHead', 'AuxSmallObjectHead', 'ClassScoreYOLOXHead', 'GrownYOLOXHead']
