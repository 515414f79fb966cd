"""Images from files and arrays, and the test pipeline of an experiment for them."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from mmengine.config import Config
from PIL import UnidentifiedImageError

from abc_mmdet.apis.config_parts import of_test_data
from abc_mmdet.errors import UserError
from abc_mmdet.utils.atomic_write import atomic_write
from abc_mmdet.utils.image_files import DARK, open_image

# Where a whole file of these kinds ends; a cut one is decoded all the same, with grey below.
_ENDS = {b'\xff\xd8': b'\xff\xd9', b'\x89P': b'IEND\xaeB`\x82'}


class DarkImageWarning(UserWarning):
    """An image of 16 bits becomes nearly black on its way into the network."""


def warn_of_dark(text: str) -> None:
    """Say it as Python's libraries do: once for each text."""
    warnings.warn(text, DarkImageWarning, stacklevel=3)


def read_image(path: str | Path, on_dark: Callable[[str], Any] = warn_of_dark) -> np.ndarray:
    """An image file, upright as its EXIF tag says, as uint8 ``(H, W, 3)``, blue, green, red.

    Grey becomes three equal channels, a palette its colours, alpha is left out, and 16 bits are
    divided by 256: OpenCV does so for ``LoadImageFromFile``, and so the network was trained.

    Args:
        path: of the file.
        on_dark: is told when 16 bits use less than a quarter of their range, as those of a camera
            of 12 bits do. :class:`DarkImageWarning` by default.

    Raises:
        UserError: it cannot be read, is not whole, or larger than
            :func:`abc_mmdet.utils.image_files.max_pixels`.
    """
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        raise UserError(f'{path}: {error.strerror}') from error
    if not content:
        raise UserError(f'{path} is empty')
    _check_size(content, path)
    data = np.frombuffer(content, np.uint8)
    try:
        image = cv2.imdecode(data, cv2.IMREAD_COLOR | cv2.IMREAD_ANYDEPTH)
        if image is not None and image.dtype != np.uint8:
            _check_brightness(image, str(path), on_dark)
            image = cv2.imdecode(data, cv2.IMREAD_COLOR)
    except cv2.error as error:
        raise UserError(f'{path} is no image that OpenCV can read ({error.err})') from error
    if image is None:
        raise UserError(f'{path} is no image that OpenCV can read')
    end = _ENDS.get(content[:2])
    if end and not content.endswith(end):
        _load_all(content, path)
    return image


def _check_brightness(values: np.ndarray, name: str, on_dark: Callable[[str], Any]) -> None:
    """Tell of 16 bits of which only a small part is used."""
    if values.dtype == np.uint16 and values.max() < DARK:
        on_dark(
            f'{name}: no value above {values.max()} of 65535. 16 bits are divided by 256 on their '
            'way into the network (as in training), so it is nearly black there: stretch the '
            'values to 0 to 65535 (those of a 12-bit camera times 16), or give 8 bits'
        )


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


def as_image(array: np.ndarray) -> np.ndarray:
    """An array as :func:`read_image` would give it.

    Args:
        array: ``(H, W)``, or ``(H, W, C)`` with C 1, 3 (blue, green, red) or 4 (and alpha); uint8
            or uint16.

    Raises:
        UserError: another shape or type.
    """
    grey = array[..., None] if array.ndim == 2 else array
    is_image = grey.ndim == 3 and grey.shape[2] in (1, 3, 4) and grey.size
    if not is_image or array.dtype not in (np.uint8, np.uint16):
        raise UserError(
            f'an array of shape {array.shape} and type {array.dtype} is no image here: give '
            '(H, W) or (H, W, 3), blue, green, red, as uint8 or uint16.'
        )
    if grey.dtype == np.uint16:
        _check_brightness(grey, 'an array of 16 bits', warn_of_dark)
        grey = (grey >> 8).astype(np.uint8)
    return np.ascontiguousarray(grey.repeat(3, axis=2) if grey.shape[2] == 1 else grey[..., :3])


def write_image(path: str | Path, image: np.ndarray) -> None:
    """Write an image under its name only when it is whole; makes its folder.

    Raises:
        UserError: a suffix that OpenCV cannot write, or a place that cannot be written to.
    """
    path = Path(path)
    try:
        is_written, content = cv2.imencode(path.suffix, image)
    except cv2.error:
        is_written = False
    if not is_written:
        raise UserError(f'{path}: OpenCV cannot write {path.suffix or "files without suffix"}.')
    atomic_write(path, content.tobytes())


COLOURS = ('color', 'color_ignore_orientation')


def image_pipeline(config: Config) -> list[dict[str, Any]]:
    """Transforms from ``img`` (BGR) to the packed input, as in testing, but without annotations.

    Raises:
        UserError: the config has no test data set, several with different pipelines, or one whose
            inputs are no colour images.
    """
    transforms = [dict(transform) for transform in of_test_data(config, 'pipeline') or []]
    if not transforms:
        raise UserError(
            f'{config.filename}: test_dataloader.dataset has no pipeline, so how images reach the '
            'network is not known.'
        )
    load, *others = transforms
    kind = str(load['type']).split('.')[-1]
    if not kind.startswith('LoadImage') or load.get('color_type', 'color') not in COLOURS:
        raise UserError(
            f'{config.filename}: the test pipeline begins with {load}. Detection in images is '
            'for detectors of colour images that begin with LoadImageFromFile; '
            'abc_mmdet.StreamingInferencer is for event recordings.'
        )
    others = [t for t in others if 'LoadAnnotations' not in str(t['type'])]
    to_float32 = load.get('to_float32', False)
    return [dict(type='mmdet.LoadImageFromNDArray', to_float32=to_float32), *others]
