"""Files as the checks of a user's own data read them."""

from ...own_data.conftest import coco

__all__ = ['coco']
