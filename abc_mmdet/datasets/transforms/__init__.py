from .random_transpose import RandomTranspose
from .small_object_copy_paste import SmallObjectCopyPaste
from .small_object_slice import SmallObjectSlice

__all__ = ['RandomTranspose', 'SmallObjectCopyPaste', 'SmallObjectSlice']
