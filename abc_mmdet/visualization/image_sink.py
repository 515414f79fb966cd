"""Where a row of images goes: a folder of PNG files or an MP4 video."""

from __future__ import annotations

import os
from pathlib import Path
from types import TracebackType

import cv2
import numpy as np

from abc_mmdet.errors import UserError
from abc_mmdet.utils.atomic_write import partial_path


class ImageSink:
    """Takes images one by one; a video gets its name when it is whole.

    Nothing is written, no folder either, before the first image.

    Args:
        out: a folder, or a file that ends in ``.mp4``.
        fps: images per second of a video.

    Examples:
        >>> with ImageSink(Path('images'), fps=10) as sink:
        ...     sink.add('first', np.zeros((8, 8, 3), np.uint8))
        >>> [path.name for path in Path('images').iterdir()]
        ['first.png']
    """

    def __init__(self, out: Path, fps: float) -> None:
        self.out, self.fps, self.count = out, fps, 0
        self.is_video = out.suffix.lower() == '.mp4'
        self._video: cv2.VideoWriter | None = None
        self._partial = partial_path(out, '.mp4')

    def __enter__(self) -> ImageSink:
        return self

    def add(self, name: str, image: np.ndarray) -> None:
        """Append an image ``(H, W, 3)`` BGR; ``name`` without suffix, used in a folder.

        Raises:
            UserError: ``out`` cannot be written, or OpenCV here cannot encode videos.
        """
        if self.count == 0:
            folder = self.out.parent if self.is_video else self.out
            try:
                folder.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise UserError(f'cannot write to {folder}: {error.strerror}') from error
        if not self.is_video:
            if not cv2.imwrite(str(self.out / f'{name}.png'), image):
                raise UserError(f'cannot write {self.out / name}.png')
        else:
            if self._video is None:
                size = image.shape[1], image.shape[0]
                codec = cv2.VideoWriter.fourcc(*'mp4v')
                self._video = cv2.VideoWriter(str(self._partial), codec, self.fps, size)
                if not self._video.isOpened():
                    raise UserError(f'OpenCV cannot write {self.out}: name a folder for PNG files.')
            self._video.write(image)
        self.count += 1

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._video is not None:
            self._video.release()
            try:
                if kind is None:
                    os.replace(self._partial, self.out)
            except OSError as problem:
                raise UserError(f'cannot write {self.out}: {problem.strerror}') from problem
            finally:
                self._partial.unlink(missing_ok=True)
