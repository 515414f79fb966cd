from .small_object_copy_paste import SmallObjectCopyPaste

__all__ = ['SmallObjectCopyPaste']
