"""Which box losses give one number a box."""

from __future__ import annotations

import torch
from torch import nn

from abc_mmdet.errors import UserError


def check_per_box(loss: nn.Module, field: str) -> None:
    """Refuse a box loss that cannot be weighted or blended box by box.

    Losses of coordinates (L1) give four numbers a box, some IoU losses want four weights.

    Args:
        loss: MMDetection's signature.
        field: where it was named, for the message.

    Raises:
        UserError: its loss of two boxes is not of shape ``(2,)``.
    """
    boxes = torch.tensor([[0.0, 0.0, 8.0, 8.0], [0.0, 0.0, 4.0, 6.0]])
    try:
        shape = tuple(loss(boxes + 1, boxes, torch.ones(2), reduction_override='none').shape)
    except (RuntimeError, AssertionError, IndexError, ValueError):
        shape = ()
    if shape != (2,):
        raise UserError(
            f'{field}={type(loss).__name__} does not give one loss a box, which is weighted by the '
            'size of the box: take one that does, such as IoULoss, GIoULoss, DIoULoss or CIoULoss.'
        )
