"""Files, folders and patterns of the command line as a list of images and videos."""

from __future__ import annotations

import glob
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import cv2
import numpy as np

from abc_mmdet.errors import UserError, backslash_hint
from abc_mmdet.utils.image_files import IMAGES, VIDEOS


@dataclass(frozen=True)
class Source:
    """An image or a video.

    Attributes:
        path: the file.
        name: its place in what was named, with slashes; no other source has it.
    """

    path: Path
    name: str

    @property
    def is_video(self) -> bool:
        return self.path.suffix.lower() in VIDEOS

    @property
    def shown(self) -> str:
        """The file as it can be printed; not every name is UTF-8."""
        return os.fsencode(self.path).decode(errors='backslashreplace')

    def check_name(self) -> None:
        """Refuse what could not be listed.

        Raises:
            UserError: the name is not UTF-8, the only encoding of JSON.
        """
        if self.shown != str(self.path):
            raise UserError(
                f'{self.shown}: the name is not UTF-8, so it cannot be listed; rename the file'
            )


def find_sources(inputs: Sequence[str], leave_out: Path | None = None) -> list[Source]:
    """Images and videos, in the order of ``inputs`` and by name within a folder or pattern.

    Args:
        inputs: files, folders (with those below them) and patterns such as ``'day/**/*.png'``.
        leave_out: a folder not to look into: that of the results.

    Raises:
        UserError: an input that does not exist, or stands for no image.
    """
    kinds = ', '.join(IMAGES + VIDEOS)
    return collect(inputs, _expand, f'there is no image and no video in it ({kinds}).', leave_out)


def collect(
    inputs: Sequence[str],
    expand: Callable[[str], tuple[Path, list[Path]]],
    nothing: str,
    leave_out: Path | None = None,
) -> list[Source]:
    """What inputs stand for, each file once and under a name of its own.

    Args:
        inputs: files, folders and patterns.
        expand: of an input, the folder that names are relative to, and the files.
        nothing: what is wrong with an input without any, for the message.
        leave_out: a folder not to look into: that of the results.

    Raises:
        UserError: what ``expand`` raises, or an input that stands for nothing.
    """
    sources: list[Source] = []
    seen: set[Path] = set()
    names: set[str] = set()
    for given in inputs:
        root, paths = expand(given)
        found = bool(paths)
        if leave_out is not None and paths != [Path(given)]:
            paths = [path for path in paths if leave_out.resolve() not in path.resolve().parents]
        if found and not paths:
            raise UserError(
                f'{given}: all of it lies in {leave_out}, the folder of the results; choose '
                'another one for them.'
            )
        if not paths:
            raise UserError(f'{given}: {nothing}')
        for path in paths:
            if path.resolve() in seen:
                continue
            seen.add(path.resolve())
            name = free_name(PurePosixPath(path.relative_to(root).as_posix()), names)
            names.add(name)
            sources.append(Source(path, name))
    return sources


def _expand(given: str) -> tuple[Path, list[Path]]:
    path = Path(given)
    if path.is_dir():
        return path, sorted(p for p in path.rglob('*') if _is_wanted(p))
    if path.is_file():
        return path.parent, [path]
    if not glob.has_magic(given):
        raise UserError(f'{given} does not exist.{backslash_hint(given)}')
    paths = sorted(Path(p) for p in glob.glob(given, recursive=True) if Path(p).is_file())
    root = Path(os.path.commonpath([p.parent for p in paths])) if paths else path
    return root, [p for p in paths if _is_wanted(p)]


def _is_wanted(path: Path) -> bool:
    known = path.suffix.lower() in IMAGES + VIDEOS
    return known and not path.name.startswith('.') and path.is_file()


def free_name(name: PurePosixPath, taken: set[str]) -> str:
    """The name, or with a number behind it if it is taken."""
    free, number = name, 1
    while str(free) in taken:
        number += 1
        free = name.with_name(f'{name.stem}_{number}{name.suffix}')
    return str(free)


_COUNTED = ('.mp4', '.m4v', '.mov', '.avi')
"""Videos that say how many images they hold; others say how long they are, sound included."""

_SILENCE = 1.0
"""Seconds that the sound of a video may go on after its last image."""


class Video:
    """The images of a video, in order.

    Attributes:
        fps: images per second.
        number: how many it says it holds; 0 if it does not say.

    Raises:
        UserError: OpenCV cannot read it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._capture = cv2.VideoCapture(str(path))
        # Some containers open and hold nothing
        is_read, self._first = self._capture.read()
        if not is_read:
            raise UserError(f'{path} is no video that OpenCV can read')
        self.fps = self._capture.get(cv2.CAP_PROP_FPS) or 25.0
        self.number = max(int(self._capture.get(cv2.CAP_PROP_FRAME_COUNT)), 0)
        self._count, self._seconds = 0, 0.0

    def __iter__(self) -> Iterator[np.ndarray]:
        image = self._first
        while image is not None:
            self._count += 1
            self._seconds = self._capture.get(cv2.CAP_PROP_POS_MSEC) / 1000
            yield image
            _, image = self._capture.read()
        self._capture.release()

    def check_end(self) -> None:
        """Compare what was read with what should be there.

        Raises:
            UserError: the video is cut off, or damaged.
        """
        is_counted = self.path.suffix.lower() in _COUNTED
        rest = (self.number - 1) / self.fps - self._seconds
        if self._count < self.number and (is_counted or rest > _SILENCE):
            raise UserError(
                f'{self.path} is cut off or damaged: {self._count} of its {self.number} images '
                'could be read, and the results have those'
            )


def number_of_images(source: Source) -> int:
    """1, or how many a video says it holds."""
    if not source.is_video:
        return 1
    try:
        source.check_name()
        return max(Video(source.path).number, 1)
    except UserError:
        return 1
