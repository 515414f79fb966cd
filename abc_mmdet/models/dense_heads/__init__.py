from .abc_head import ABCHead
from .aux_small_object_head import AuxSmallObjectHead

__all__ = ['ABCHead', 'AuxSmallObjectHead']
