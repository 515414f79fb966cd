"""A level that starts as the next coarser one of a pretrained detector."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping

import torch
from torch import Tensor

_GROWN = re.compile(r'^bbox_head@\d+<(\d+)\.')
_BOX_LAYER = re.compile(r'\.multi_level_conv_reg\.(weight|bias|place_bias)$')


def origin_of(meaning: str) -> str | None:
    """What a tensor of a grown level starts from, or None if it is of no such level.

    Args:
        meaning: of the tensor (:func:`~abc_mmdet.models.yolox_names.meanings`).

    Example:
        >>> origin_of('bbox_head@4<8.multi_level_conv_obj.bias')
        'bbox_head@8.multi_level_conv_obj.bias'
    """
    return _GROWN.sub(r'bbox_head@\1.', meaning) if _GROWN.match(meaning) else None


def grown(meaning: str, pretrained: Mapping[str, Tensor]) -> Tensor | None:
    """The tensor of a grown level with which it predicts the boxes of the level it starts from.

    In units of half the stride, offsets of a centre are twice as large, and one less where the
    location's own prior lies one unit further; sizes have a logarithm larger by that of two
    (:class:`~abc_mmdet.models.dense_heads.GrownYOLOXHead`). All else is a copy.

    Args:
        meaning: of the tensor.
        pretrained: tensors by meaning.

    Returns:
        None if the pretrained detector has no such level, or the tensor is of no grown one.
    """
    origin = origin_of(meaning)
    if origin is None:
        return None
    layer = _BOX_LAYER.search(meaning)
    if layer is None:
        return pretrained.get(origin)
    if layer[1] == 'place_bias':
        if origin.replace('.place_bias', '.bias') not in pretrained:
            return None
        value = torch.zeros(4, 2, 2)
        value[0, :, 1] = -1  # x, odd columns
        value[1, 1, :] = -1  # y, odd rows
        return value
    value = pretrained.get(origin)
    if value is None or len(value) != 4:
        return None
    value = value.clone()
    value[:2] *= 2
    if layer[1] == 'bias':
        value[2:] += math.log(2)
    return value
