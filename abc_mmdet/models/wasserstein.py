"""How alike two boxes are when they are too small for IoU: normalised Wasserstein distance."""

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from abc_mmdet.errors import UserError


class NWDConstant:
    """The size that distances are divided by: fixed in the config, or measured before training.

    It is the mean absolute size, the square root of the area, of the boxes to be learnt, in
    pixels of the network input.

    Args:
        value: the size in pixels, or ``None`` to have :class:`NWDConstantHook` measure it.

    Attributes:
        value: the size in pixels; ``None`` until it is measured.
        is_fixed: whether it came from the config.

    Raises:
        UserError: a value that is not positive.

    Examples:
        >>> NWDConstant(12.5).known()
        12.5
    """

    def __init__(self, value: float | None) -> None:
        if value is not None and not value > 0:
            raise UserError(f'NWD constant={value}: give a positive size in pixels, or None.')
        self.value = value
        self.is_fixed = value is not None

    def known(self) -> float:
        """The value.

        Raises:
            UserError: it has not been measured.
        """
        if self.value is None:
            raise UserError(
                'NWD needs the mean size of the boxes, and nobody has measured it. Add '
                "default_hooks=dict(nwd_constant=dict(type='NWDConstantHook')) to the config, or "
                'give the size itself (constant=12.0, in pixels of the network input).'
            )
        return self.value


def nwd_constants(model: nn.Module) -> Iterator[tuple[str, NWDConstant]]:
    """Every constant in a model with the dotted name of the module it is in.

    They are in losses, which are modules, and in the ``iou_calculator`` of assigners, which are
    plain attributes of a head.
    """
    for name, module in model.named_modules():
        owners = [module]
        for value in vars(module).values():
            assigners = value if isinstance(value, (list, tuple)) else [value]
            owners += [getattr(assigner, 'iou_calculator', None) for assigner in assigners]
        for owner in owners:
            constant = getattr(owner, 'nwd_constant', None)
            if isinstance(constant, NWDConstant):
                yield name, constant


def aligned_nwd(boxes: Tensor, others: Tensor, constant: float) -> Tensor:
    """Normalised Wasserstein distance of boxes, row by row: 1 for equal ones, 0 far apart.

    Boxes are taken for Gaussians with the box's centre and half its sides as deviations. Between
    them, ``exp(-distance / constant)`` (Wang et al., 2022, "Detecting tiny objects in aerial
    images: A normalized Wasserstein distance and a new benchmark"). Where IoU falls from 1 to 0
    within a few pixels, it falls smoothly, whatever the size.

    The gradient is finite everywhere; where two boxes are equal it is zero.

    Args:
        boxes, others: ``(N, 4)``, ``xyxy``; half precision is computed in single precision.
        constant: in the units of the boxes.

    Returns:
        ``(N,)``, at least in single precision.
    """
    difference = _gaussians(boxes) - _gaussians(others)
    return torch.exp(-torch.linalg.vector_norm(difference, dim=-1) / constant)


def pairwise_nwd(boxes: Tensor, others: Tensor, constant: float | Tensor) -> Tensor:
    """:func:`aligned_nwd` of each of ``(M, 4)`` boxes with each of ``(N, 4)``: ``(M, N)``.

    One coordinate at a time, without an ``(M, N, 4)`` tensor. Not for gradients.

    Args:
        boxes, others: ``xyxy``.
        constant: in the units of the boxes; one, or ``(M, N)`` of them.
    """
    of_boxes, of_others = _gaussians(boxes), _gaussians(others)
    dtype = torch.promote_types(of_boxes.dtype, of_others.dtype)
    squared = of_boxes.new_zeros(len(boxes), len(others), dtype=dtype)
    for a, b in zip(of_boxes.unbind(-1), of_others.unbind(-1), strict=True):
        squared.add_((a[:, None] - b).square_())
    return squared.sqrt_().div_(constant).neg_().exp_()


def _gaussians(boxes: Tensor) -> Tensor:
    """``(N, 4)`` centre and half sides of ``xyxy`` boxes, in single or double precision."""
    if boxes.dtype in (torch.float16, torch.bfloat16):  # squares of pixels overflow, or lose digits
        boxes = boxes.float()
    low, high = boxes[..., :2], boxes[..., 2:4]
    return torch.cat([(low + high) / 2, (high - low) / 2], dim=-1)
