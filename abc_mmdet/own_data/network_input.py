"""How large an image file arrives at the network, as the test pipeline makes it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from mmcv.transforms import BaseTransform, LoadAnnotations, LoadImageFromFile

from abc_mmdet.errors import UserError
from mmdet.datasets.transforms import PackDetInputs
from mmdet.registry import TRANSFORMS

_NOT_GEOMETRY = (LoadImageFromFile, LoadAnnotations, PackDetInputs)


class NetworkInput:
    """The transforms of a test pipeline that change an image's size.

    They are run, not interpreted, on an empty picture of each size that occurs: whatever resizes
    is followed, in the arithmetic of training.

    Args:
        pipeline: of the test data set.

    Raises:
        UserError: a transform cannot be built.
    """

    def __init__(self, pipeline: Sequence[dict]) -> None:
        built = [TRANSFORMS.build(options) for options in pipeline]
        self.transforms: list[BaseTransform] = [
            transform for transform in built if not isinstance(transform, _NOT_GEOMETRY)
        ]
        self._known: dict[tuple[int, int], tuple[tuple[float, float], tuple[int, int]]] = {}

    def scale(self, size: tuple[int, int]) -> tuple[float, float]:
        """By how much an image of this width and height is scaled, along both."""
        return self._of(size)[0]

    def shape(self, size: tuple[int, int]) -> tuple[int, int]:
        """Width and height of such an image in the input, before padding of a batch."""
        return self._of(size)[1]

    def scales(self, sizes: np.ndarray) -> np.ndarray:
        """``(N, 2)`` of :meth:`scale` for ``(N, 2)`` sizes."""
        unique, inverse = np.unique(sizes, axis=0, return_inverse=True)
        scales = [self.scale((int(w), int(h))) for w, h in unique]
        return np.array(scales, np.float64).reshape(-1, 2)[inverse.ravel()]

    def _of(self, size: tuple[int, int]) -> tuple[tuple[float, float], tuple[int, int]]:
        if size not in self._known:
            self._known[size] = self._run(size)
        return self._known[size]

    def _run(self, size: tuple[int, int]) -> tuple[tuple[float, float], tuple[int, int]]:
        width, height = size
        shape = (height, width)
        results: Any = dict(
            img=np.zeros((*shape, 3), np.uint8), img_shape=shape, ori_shape=shape, img_path=''
        )
        scale = np.ones(2)
        for transform in self.transforms:
            results.pop('scale_factor', None)
            try:
                results = transform(results)
            except (LookupError, TypeError, AttributeError, ValueError, AssertionError) as error:
                raise UserError(
                    f'{type(transform).__name__} of the test pipeline could not be run on an image '
                    f'of {width}x{height} without boxes: {type(error).__name__}: {error}. Sizes at '
                    'network resolution need a test pipeline that only resizes and pads.'
                ) from error
            scale = scale * np.array(results.get('scale_factor', (1.0, 1.0)))
        return (float(scale[0]), float(scale[1])), results['img_shape'][1::-1]
