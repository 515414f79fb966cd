"""The image files of an annotation file."""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from PIL import UnidentifiedImageError
from tqdm import tqdm

from abc_mmdet.image_bounds import open_image

from .coco_file import CocoFile
from .copies import same_content
from .finding import PROBLEM, WARNING, Finding, several
from .image_path import HOW_TO_STAY, leaves

ORIENTATION = 0x0112  # EXIF; from 5 on width and height change places
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
        turned: a camera's orientation mark exchanges width and height.
        digest: of its bytes; None if not read.
    """

    path: str
    state: str = 'fine'
    size: tuple[int, int] | None = None
    turned: bool = False
    digest: bytes | None = None


def look_at_images(
    file: CocoFile, folder: str, decode: bool = True, progress: bool = False
) -> list[ImageFile]:
    """Look at the image of every entry.

    Args:
        file: the annotation file.
        folder: that its file names are relative to.
        decode: read and decode them, else only see whether they are there.
        progress: show a bar in a terminal.
    """
    names = [image['file_name'] for image in file.images]

    def look(name: str) -> ImageFile:
        path = os.path.join(folder, name)
        if leaves(folder, name):
            return ImageFile(path, 'outside')
        return _decoded(path) if decode else _found(path)

    with ThreadPoolExecutor(_NUM_THREADS) as pool:
        found = pool.map(look, names)
        hidden = None if progress else True  # None: where the output is no terminal
        return list(tqdm(found, 'reading images', len(names), leave=False, disable=hidden))


def _found(path: str) -> ImageFile:
    return ImageFile(path, 'fine' if '://' in path or os.path.isfile(path) else 'missing')


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
        size, turned = _size(content)
    except Exception as error:  # whatever a decoder thinks of broken bytes
        return ImageFile(path, str(error) or type(error).__name__)
    digest = hashlib.blake2b(content, digest_size=16).digest()
    return ImageFile(path, size=size, turned=turned, digest=digest)


def _size(content: bytes) -> tuple[tuple[int, int], bool]:
    """Width and height after decoding all of it.

    PIL, because some versions of OpenCV fill up what is missing of a truncated file with grey and
    say nothing; OpenCV for what PIL does not know, because training reads with it.
    """
    try:
        with open_image(content) as image:
            with _one_at_a_time if image.width * image.height > _LARGE else nullcontext():
                image.load()
            turned = image.getexif().get(ORIENTATION, 1) >= 5
            width, height = image.size
    except UnidentifiedImageError:
        if not content:
            raise ValueError('an empty file') from None
        pixels = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)
        if pixels is None:
            raise ValueError('not an image') from None
        return (pixels.shape[1], pixels.shape[0]), False
    return ((height, width) if turned else (width, height)), turned


def check_images(file: CocoFile, images: Sequence[ImageFile], folder: str) -> Iterator[Finding]:
    """Files that are missing, unreadable, of another size than the annotation file says, or twice.

    Args:
        file: the annotation file.
        images: of :func:`look_at_images`, in the order of its entries.
        folder: for the messages.
    """
    yield from several(
        'missing_files',
        PROBLEM,
        folder or '.',
        f'of {len(images)} image files do not exist; names are those of {file.path}',
        (image.path for image in images if image.state == 'missing'),
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
    yield from several(
        'wrong_size',
        PROBLEM,
        file.path,
        'images have another width or height than the file says, so its boxes may lie elsewhere',
        (
            f'{image.path}: {image.size[0]}x{image.size[1]}, not {e["width"]}x{e["height"]}'
            + (' (turned by its EXIF orientation)' if image.turned else '')
            for image, e in zip(images, file.images, strict=True)
            if image.size is not None and image.size != (e['width'], e['height'])
        ),
    )
    yield from several(
        'duplicate_pictures',
        WARNING,
        folder or '.',
        'pictures are there under several names',
        same_content(images),
    )
