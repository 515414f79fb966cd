"""The image files of an annotation file."""

from __future__ import annotations

import hashlib
import itertools
import os
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, UnidentifiedImageError
from tqdm import tqdm

from abc_mmdet.datasets.annotations.checks import PROBLEM, WARNING, Issue, several
from abc_mmdet.datasets.annotations.coco_file import HOW_TO_STAY, CocoFile, leaves
from abc_mmdet.errors import backslash_hint
from abc_mmdet.utils.image_files import DARK, open_image

from .duplicates import same_content

ORIENTATION = 0x0112  # EXIF; from 5 on width and height change places
_FEW_DEEP = 16  # of which more than the head is read in any case
_FEW_GRAY = 16
_JPEG = 4  # of 255
_NUM_THREADS = min(8, os.cpu_count() or 1)
_LARGE = 1 << 26  # pixels; so large ones are not decoded side by side
_one_at_a_time = threading.Lock()


@dataclass(frozen=True)
class ImageFile:
    """What one image file is.

    Args:
        path: of the file.
        state: ``fine``, ``missing``, ``outside`` of the folder, so that it was not opened, or why
            it cannot be read.
        size: width and height as training will see them; None if not read.
        orientation: a camera's mark by which OpenCV turns or mirrors it on reading; 1: not at all.
        digest: of its bytes; None if not read.
        brightest: highest value of an image of 16 bits; None for others, and if not read.
    """

    path: str
    state: str = 'fine'
    size: tuple[int, int] | None = None
    orientation: int = 1
    digest: bytes | None = None
    brightest: int | None = None

    @property
    def turned(self) -> bool:
        """Whether the mark exchanges width and height."""
        return self.orientation >= 5


def look_at_images(
    file: CocoFile, folder: str, decode: bool = True, progress: bool = False
) -> list[ImageFile]:
    """Look at the image of every entry.

    Args:
        file: the annotation file.
        folder: that its file names are relative to.
        decode: read and decode them, else only their heads: whether they are there, their size and
            orientation, and of a few with 16 bits how bright they are.
        progress: show a bar in a terminal.
    """
    names = [image['file_name'] for image in file.images]
    deep_left = itertools.count()

    def look(name: str) -> ImageFile:
        path = os.path.join(folder, name)
        if leaves(folder, name):
            return ImageFile(path, 'outside')
        return _decoded(path) if decode else _head(path, deep_left)

    with ThreadPoolExecutor(_NUM_THREADS) as pool:
        found = pool.map(look, names)
        hidden = None if progress else True  # None: where the output is no terminal
        return list(tqdm(found, 'reading images', len(names), leave=False, disable=hidden))


def are_gray(file: CocoFile, folder: str) -> bool:
    """Whether the images have no colours, by :data:`_FEW_GRAY` of them, evenly spread."""
    names = [image['file_name'] for image in file.images]
    looked_at = [name for name in names[:: -(-len(names) // _FEW_GRAY)] if not leaves(folder, name)]
    images = (cv2.imread(os.path.join(folder, name)) for name in looked_at)
    return bool(looked_at) and all(image is not None and _is_gray(image) for image in images)


def _is_gray(image: np.ndarray) -> bool:
    """Whether the channels are equal but for what packing as JPEG changes."""
    difference = image.max(2) - image.min(2)
    return float((difference > _JPEG).mean()) < 0.001


def _head(path: str, deep_seen: Iterator[int]) -> ImageFile:
    """What the first bytes of a file say; damage further on is left to :func:`_decoded`."""
    if '://' in path:
        return ImageFile(path)
    try:
        with open(path, 'rb') as file, open_image(file) as image:
            mark, size = _orientation(image), image.size
            brightest = None
            if _is_deep(image) and next(deep_seen) < _FEW_DEEP:
                brightest = _brightest(Path(path).read_bytes())
    except FileNotFoundError:
        return ImageFile(path, 'missing')
    except Exception:  # whatever a decoder thinks of broken bytes, or does not know
        return ImageFile(path)
    return ImageFile(path, size=_upright(size, mark), orientation=mark, brightest=brightest)


def _decoded(path: str) -> ImageFile:
    if '://' in path:
        return ImageFile(path)
    try:
        content = Path(path).read_bytes()
    except FileNotFoundError:
        return ImageFile(path, 'missing')
    except OSError as error:
        return ImageFile(path, error.strerror or str(error))
    try:
        size, mark, brightest = _whole(content)
    except Exception as error:  # whatever a decoder thinks of broken bytes
        return ImageFile(path, str(error) or type(error).__name__)
    digest = hashlib.blake2b(content, digest_size=16).digest()
    return ImageFile(path, 'fine', size, mark, digest, brightest)


def _whole(content: bytes) -> tuple[tuple[int, int], int, int | None]:
    """Width and height, orientation and, of 16 bits, the highest value, after decoding all of it.

    PIL, because some versions of OpenCV fill up what is missing of a truncated file with grey and
    say nothing; OpenCV for what PIL does not know, because training reads with it.
    """
    try:
        with open_image(content) as image:
            deep = _is_deep(image)  # PIL forgets when it has decoded it
            with _one_at_a_time if image.width * image.height > _LARGE else nullcontext():
                image.load()
            mark, size = _orientation(image), image.size
    except UnidentifiedImageError:
        if not content:
            raise ValueError('an empty file') from None
        pixels = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)
        if pixels is None:
            raise ValueError('not an image') from None
        return (pixels.shape[1], pixels.shape[0]), 1, None
    return _upright(size, mark), mark, _brightest(content) if deep else None


def _orientation(image: Image.Image) -> int:
    # To look for a mark behind the pixels PIL would decode a PNG
    has_none = image.format == 'PNG' and 'exif' not in image.info
    mark = 1 if has_none else image.getexif().get(ORIENTATION, 1)
    return mark if mark in range(1, 9) else 1


def _upright(size: tuple[int, int], mark: int) -> tuple[int, int]:
    return (size[1], size[0]) if mark >= 5 else size


def _is_deep(image: Image.Image) -> bool:
    """Whether a channel has 16 bits; PIL shortens those of colour images, and knows no mode."""
    raw = [tile[3] for tile in getattr(image, 'tile', [])]
    return image.mode.startswith('I') or any('16' in str(args) for args in raw)


def _brightest(content: bytes) -> int | None:
    flags = cv2.IMREAD_ANYDEPTH | cv2.IMREAD_ANYCOLOR
    pixels = cv2.imdecode(np.frombuffer(content, np.uint8), flags)
    return int(pixels.max()) if pixels is not None and pixels.dtype == np.uint16 else None


def check_images(file: CocoFile, images: Sequence[ImageFile], folder: str) -> Iterator[Issue]:
    """Files that are missing, unreadable, of another size than the annotation file says, or twice.

    Args:
        file: the annotation file.
        images: of :func:`look_at_images`, in the order of its entries.
        folder: for the messages.
    """
    missing = [str(image.path) for image in images if image.state == 'missing']
    yield from several(
        'missing_files',
        PROBLEM,
        folder or '.',
        f'of {len(images)} image files do not exist; names are those of {file.path}.'
        + next(filter(None, map(backslash_hint, missing)), ''),
        missing,
    )
    yield from several(
        'outside_folder',
        PROBLEM,
        folder or '.',
        f'file names lead out of the folder, and were not opened. {HOW_TO_STAY}',
        (e['file_name'] for i, e in zip(images, file.images, strict=True) if i.state == 'outside'),
    )
    yield from several(
        'unreadable_files',
        PROBLEM,
        folder or '.',
        'image files cannot be read to the end: copy them again, or take them out',
        (f'{i.path}: {i.state}' for i in images if i.state not in ('fine', 'missing', 'outside')),
    )
    sized = [
        (image, image.size, (entry['width'], entry['height']))
        for image, entry in zip(images, file.images, strict=True)
        if image.size is not None
    ]
    turned = [(i, size) for i, size, said in sized if i.turned and size != said == size[::-1]]
    yield from several(
        'turned_images',
        PROBLEM,
        file.path,
        'images are turned on reading by the orientation mark (EXIF) of the camera, and the file '
        'gives their size before that: their boxes lie elsewhere. Take the mark out of the image '
        'files (exiftool -Orientation= FILES), so that the pixels stay as they are stored',
        (f'{i.path}: read as {size[0]}x{size[1]}' for i, size in turned),
    )
    known = {image.path for image, _ in turned}
    yield from several(
        'wrong_size',
        PROBLEM,
        file.path,
        'images have another width or height than the file says, so its boxes may lie elsewhere',
        (
            f'{image.path}: {size[0]}x{size[1]}, not {said[0]}x{said[1]}'
            for image, size, said in sized
            if size != said and image.path not in known
        ),
    )
    yield from several(
        'marked_images',
        WARNING,
        file.path,
        'images are turned upside down or mirrored on reading by their orientation mark (EXIF); '
        'whether their boxes are, too, cannot be seen from the file: look at some, or take the '
        'mark out',
        (image.path for image, _, _ in sized if image.orientation in (2, 3, 4)),
    )
    yield from several(
        'dark_images',
        PROBLEM,
        folder or '.',
        'images of 16 bits use a small part of their range, and become nearly black on reading, '
        'which divides by 256 (as OpenCV does): stretch the values to 0 to 65535 (those of a '
        '12-bit camera times 16), or write 8 bits',
        (
            f'{image.path}: no value above {image.brightest} of 65535'
            for image in images
            if image.brightest is not None and image.brightest < DARK
        ),
    )
    yield from several(
        'duplicate_images',
        WARNING,
        folder or '.',
        'images are there under several names',
        same_content(images),
    )
