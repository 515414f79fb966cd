"""How large an image arrives at the network, and on which strides a model looks at it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from mmcv.transforms import BaseTransform, LoadAnnotations, LoadImageFromFile
from torch import nn

from abc_mmdet.errors import UserError
from abc_mmdet.models.dense_heads import ABCHead
from mmdet.datasets.transforms import PackDetInputs
from mmdet.registry import TRANSFORMS


def inference_strides(model: nn.Module) -> list[int]:
    """Strides of the levels objects are detected on, finest first; empty if it has none.

    Of a two-stage detector those of its proposals.
    """
    for head in _heads(model):
        strides = _strides(head.main_head if isinstance(head, ABCHead) else head)
        if strides:
            return strides
    return []


def train_only_strides(model: nn.Module) -> list[int]:
    """Strides of an auxiliary head that inference does not have."""
    heads = [head for head in _heads(model) if isinstance(head, ABCHead) and head.use_auxiliary]
    finer = (set(_strides(head.aux_head)) for head in heads)
    return sorted(set().union(*finer) - set(inference_strides(model)))


def _heads(model: nn.Module) -> Iterator[nn.Module]:
    for module in model.modules():
        for name in ('bbox_head', 'rpn_head'):
            head = getattr(module, name, None)
            if isinstance(head, nn.Module):
                yield head


def _strides(head: Any) -> list[int]:
    generator = getattr(head, 'prior_generator', None)
    strides = getattr(generator, 'strides', None) or []
    return sorted(int(s if isinstance(s, (int, float)) else s[0]) for s in strides)


_NOT_GEOMETRY = (LoadImageFromFile, LoadAnnotations, PackDetInputs)


class NetworkInput:
    """The transforms of a test pipeline that change an image's size.

    They are run, not interpreted, on an empty image of each size that occurs: whatever resizes
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
