from .load_image_once import LoadImageOnce
from .random_transpose import RandomTranspose
from .small_object_copy_paste import SmallObjectCopyPaste
from .small_object_slice import SmallObjectSlice

__all__ = ['LoadImageOnce', 'RandomTranspose', 'SmallObjectCopyPaste', 'SmallObjectSlice']
