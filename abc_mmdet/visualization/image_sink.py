"""Where a row of pictures goes: a folder of PNG files or an MP4 film."""

from __future__ import annotations

import os
from pathlib import Path
from types import TracebackType

import cv2
import numpy as np

from abc_mmdet.errors import UserError
from abc_mmdet.utils.atomic_write import partial_path


class PictureSink:
    """Takes pictures one by one; a film gets its name when it is whole.

    Nothing is written, no folder either, before the first picture.

    Args:
        out: a folder, or a file that ends in ``.mp4``.
        fps: pictures per second of a film.
    """

    def __init__(self, out: Path, fps: float) -> None:
        self.out, self.fps, self.count = out, fps, 0
        self.is_film = out.suffix.lower() == '.mp4'
        self._film: cv2.VideoWriter | None = None
        self._partial = partial_path(out, '.mp4')

    def __enter__(self) -> PictureSink:
        return self

    def add(self, name: str, picture: np.ndarray) -> None:
        """Append a picture ``(H, W, 3)`` BGR; ``name`` without suffix, used in a folder.

        Raises:
            UserError: ``out`` cannot be written, or OpenCV here cannot encode films.
        """
        if self.count == 0:
            folder = self.out.parent if self.is_film else self.out
            try:
                folder.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise UserError(f'cannot write to {folder}: {error.strerror}') from error
        if not self.is_film:
            if not cv2.imwrite(str(self.out / f'{name}.png'), picture):
                raise UserError(f'cannot write {self.out / name}.png')
        else:
            if self._film is None:
                size = picture.shape[1], picture.shape[0]
                codec = cv2.VideoWriter.fourcc(*'mp4v')
                self._film = cv2.VideoWriter(str(self._partial), codec, self.fps, size)
                if not self._film.isOpened():
                    raise UserError(f'OpenCV cannot write {self.out}: name a folder for PNG files.')
            self._film.write(picture)
        self.count += 1

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._film is not None:
            self._film.release()
            try:
                if kind is None:
                    os.replace(self._partial, self.out)
            except OSError as problem:
                raise UserError(f'cannot write {self.out}: {problem.strerror}') from problem
            finally:
                self._partial.unlink(missing_ok=True)
