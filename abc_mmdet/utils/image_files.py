"""Image files: which there are, and how large one may be.

A file of a few kilobytes can say that it holds an image of many gigabytes, and its decoder fills
the memory with it. The bound is OpenCV's, because training reads with OpenCV: what one tool calls
too large, none of them reads.
"""

from __future__ import annotations

import io
import os
import threading
from typing import BinaryIO

from PIL import Image

IMAGES = ('.jpg', '.jpeg', '.png', '.bmp', '.tif', '.tiff', '.webp', '.jp2', '.pgm', '.ppm')
WRITABLE = tuple(suffix for suffix in IMAGES if suffix not in ('.pgm', '.jp2'))
VIDEOS = ('.mp4', '.avi', '.mov', '.mkv', '.webm', '.m4v', '.mpg', '.mpeg')

VARIABLE = 'OPENCV_IO_MAX_IMAGE_PIXELS'
"""Environment variable that sets the bound, for OpenCV as well."""

DARK = 1 << 14
"""Images of 16 bits without a value from here on are darker than a quarter of the range."""

_DEFAULT = 1 << 30
_KINDS = ('PNG', 'JPEG', 'BMP', 'TIFF', 'WEBP', 'JPEG2000', 'PPM', 'GIF', 'SUN')
"""What OpenCV reads, too. Of others, PIL gives some to programs outside (EPS to Ghostscript)."""

_lock = threading.Lock()


def max_pixels() -> int:
    """Most pixels of an image: 2**30 unless :data:`VARIABLE` says something else."""
    try:
        return int(os.environ[VARIABLE])
    except (KeyError, ValueError):
        return _DEFAULT


def open_image(content: bytes | BinaryIO) -> Image.Image:
    """An image of PIL's that is not decoded yet.

    Args:
        content: of a file, or the open file, of which only the head is read then.

    Raises:
        ValueError: it has more than :func:`max_pixels` pixels.
        PIL.UnidentifiedImageError: PIL does not know it.
        OSError, SyntaxError: the head of the file is damaged.
    """
    Image.init()
    kinds = [kind for kind in _KINDS if kind in Image.OPEN]
    with _lock:  # PIL's own bound is a global, and smaller than OpenCV's
        bound, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
        try:
            file = io.BytesIO(content) if isinstance(content, bytes) else content
            image = Image.open(file, formats=kinds)
        finally:
            Image.MAX_IMAGE_PIXELS = bound
    check_pixels(*image.size)
    return image


def check_pixels(width: int, height: int) -> None:
    """Raise ``ValueError`` for an image that is too large."""
    if width * height > max_pixels():
        raise ValueError(
            f'it has {width}x{height} pixels, more than the {max_pixels():,} that are read: cut it '
            f'into parts, or set the environment variable {VARIABLE}'
        )
