"""Files as the checks of a user's own data read them."""

from ...custom_dataset.conftest import coco

__all__ = ['coco']
