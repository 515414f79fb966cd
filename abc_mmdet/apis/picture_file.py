"""Pictures from files and arrays, as MMDetection's loader gives them in training."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from PIL import UnidentifiedImageError

from abc_mmdet.errors import UserError
from abc_mmdet.image_bounds import open_image
from abc_mmdet.whole_file import write_whole

# Where a whole file of these kinds ends; a cut one is decoded all the same, with grey below.
_ENDS = {b'\xff\xd8': b'\xff\xd9', b'\x89P': b'IEND\xaeB`\x82'}


def read_picture(path: str | Path) -> np.ndarray:
    """An image file, upright as its EXIF tag says, as uint8 ``(H, W, 3)``, blue, green, red.

    Grey becomes three equal channels, a palette its colours, alpha is left out, and 16 bits are
    divided by 256: OpenCV does so for ``LoadImageFromFile``, and so the network was trained.

    Raises:
        UserError: it cannot be read, is not whole, or larger than
            :func:`abc_mmdet.image_bounds.max_pixels`.
    """
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        raise UserError(f'{path}: {error.strerror}') from error
    if not content:
        raise UserError(f'{path} is empty')
    _check_size(content, path)
    try:
        picture = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)
    except cv2.error as error:
        raise UserError(f'{path} is no image that OpenCV can read ({error.err})') from error
    if picture is None:
        raise UserError(f'{path} is no image that OpenCV can read')
    end = _ENDS.get(content[:2])
    if end and not content.endswith(end):
        _load_all(content, path)
    return picture


def _load_all(content: bytes, path: str | Path) -> None:
    """Cameras append things to whole files, too: read all of the image, and not lightly."""
    try:
        open_image(content).load()
    except Exception as error:  # whatever a decoder thinks of broken bytes
        raise UserError(f'{path} is cut off or damaged ({error})') from error


def _check_size(content: bytes, path: str | Path) -> None:
    try:
        open_image(content)
    except UnidentifiedImageError:
        return  # OpenCV knows more kinds, and has the same bound
    except ValueError as error:
        raise UserError(f'{path} is not read: {error}') from error
    except Exception:  # of a damaged head; OpenCV may be less strict
        return


def as_picture(array: np.ndarray) -> np.ndarray:
    """An array as :func:`read_picture` would give it.

    Args:
        array: ``(H, W)``, or ``(H, W, C)`` with C 1, 3 (blue, green, red) or 4 (and alpha); uint8
            or uint16.

    Raises:
        UserError: another shape or type.
    """
    grey = array[..., None] if array.ndim == 2 else array
    is_picture = grey.ndim == 3 and grey.shape[2] in (1, 3, 4) and grey.size
    if not is_picture or array.dtype not in (np.uint8, np.uint16):
        raise UserError(
            f'an array of shape {array.shape} and type {array.dtype} is no picture here: give '
            '(H, W) or (H, W, 3), blue, green, red, as uint8 or uint16.'
        )
    if grey.dtype == np.uint16:
        grey = (grey >> 8).astype(np.uint8)
    return np.ascontiguousarray(grey.repeat(3, axis=2) if grey.shape[2] == 1 else grey[..., :3])


def write_picture(path: str | Path, picture: np.ndarray) -> None:
    """Write a picture under its name only when it is whole; makes its folder.

    Raises:
        UserError: a suffix that OpenCV cannot write, or a place that cannot be written to.
    """
    path = Path(path)
    try:
        is_written, content = cv2.imencode(path.suffix, picture)
    except cv2.error:
        is_written = False
    if not is_written:
        raise UserError(f'{path}: OpenCV cannot write {path.suffix or "files without suffix"}.')
    write_whole(path, content.tobytes())
