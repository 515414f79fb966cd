"""Decoded images stay in memory."""

from __future__ import annotations

import cv2
import numpy as np
from mmcv.transforms import LoadImageFromFile

from mmdet.registry import TRANSFORMS


@TRANSFORMS.register_module()
class LoadImageOnce(LoadImageFromFile):
    """:class:`LoadImageFromFile` that decodes a file once per process and keeps the image.

    For small data sets that are read many times. A loader's workers each have memory of their own,
    which lasts with ``persistent_workers=True``; grey images are kept with one channel.

    Args:
        limit_mb: images beyond this many megabytes are decoded every time.
        **kwargs: as in :class:`LoadImageFromFile`.

    Examples:
        >>> TRANSFORMS.build(dict(type='LoadImageOnce', limit_mb=512)).limit_mb
        512
    """

    def __init__(self, limit_mb: float = 4096, **kwargs: object) -> None:
        super().__init__(**kwargs)
        self.limit_mb = limit_mb
        self._kept: dict[str, np.ndarray] = {}
        self._kept_bytes = 0

    def transform(self, results: dict) -> dict | None:
        """Sets ``img``, a copy ``(H, W, C)`` that may be changed, ``img_shape``, ``ori_shape``."""
        path = results['img_path']
        if path not in self._kept:
            loaded = super().transform(results)
            if loaded is not None:
                self._keep(path, loaded['img'])
            return loaded
        kept = self._kept[path]
        results['img'] = kept.copy() if kept.ndim == 3 else cv2.cvtColor(kept, cv2.COLOR_GRAY2BGR)
        results['img_shape'] = results['ori_shape'] = kept.shape[:2]
        return results

    def _keep(self, path: str, image: np.ndarray) -> None:
        if image.ndim == 3 and image.shape[2] == 3 and _is_grey(image):
            image = np.ascontiguousarray(image[..., 0])
        if self._kept_bytes + image.nbytes <= self.limit_mb * 2**20:
            self._kept[path] = image.copy()
            self._kept_bytes += image.nbytes


def _is_grey(image: np.ndarray) -> bool:
    first = image[..., 0]
    return bool((first == image[..., 1]).all() and (first == image[..., 2]).all())
