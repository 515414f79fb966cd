"""YOLOX's loss and its gradient, on the same outputs and ground truth."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from mmengine.structures import InstanceData
from torch import Tensor

from .row import Row, relative

SIZE, STRIDES, CLASSES = (192, 256), (8, 16, 32), 3  # height and width, pixels


def scene(seed: int, images: int = 2) -> tuple[list[Tensor], list[InstanceData]]:
    """Outputs per level, ``(images, 5 + CLASSES, H, W)``, and the boxes that they nearly are of.

    Boxes from 2 pixels to the whole image, some on top of one another, some over the border; now
    and then none at all.
    """
    rng = np.random.default_rng(seed)
    height, width = SIZE
    truths, levels = [], []
    for _ in range(images):
        number = int(rng.choice([0, 1, 3, 12, 40], p=[0.1, 0.2, 0.3, 0.3, 0.1]))
        sides = 2 * (rng.choice([5, 20, 100], number) ** rng.random((2, number))).T
        centres = rng.uniform(0, 1, (number, 2)) * [width, height]
        if number > 2 and rng.random() < 0.5:
            centres[1:3] = centres[0] + rng.normal(0, 3, (2, 2))
            centres = centres.clip(0, [width - 1, height - 1])
        boxes = np.concatenate([centres - sides / 2, centres + sides / 2], 1).astype('f4')
        labels = torch.from_numpy(rng.integers(0, CLASSES, number))
        truths.append(InstanceData(bboxes=torch.from_numpy(boxes), labels=labels))
    for stride in STRIDES:
        rows, columns = height // stride, width // stride
        level = rng.normal(0, 1, (images, 5 + CLASSES, rows, columns))
        level[:, 4:] -= 2
        y, x = np.mgrid[:rows, :columns]
        for out, truth in zip(level, truths, strict=True):
            if not len(truth):
                continue
            box = truth.bboxes.numpy()
            centre, side = (box[:, :2] + box[:, 2:]) / 2, box[:, 2:] - box[:, :2]
            cells = np.stack([x, y], -1)[..., None, :] * stride
            near = np.linalg.norm(cells - centre, axis=-1).argmin(-1)
            offset = centre[near] / stride - np.stack([x, y], -1)
            exact = np.concatenate([offset, np.log(side[near] / stride)], -1).transpose(2, 0, 1)
            out[:4] = exact + rng.normal(0, 0.3, exact.shape)
        levels.append(torch.from_numpy(level.astype('f4')).requires_grad_())
    return levels, truths


def our_loss(head: Any, levels: list[Tensor], truths: list[InstanceData]) -> Tensor:
    """Sum of the losses of our head."""
    parts = [(x[:, 5:], x[:, :4], x[:, 4:5]) for x in levels]
    metas = [dict(img_shape=SIZE, pad_shape=SIZE)] * len(truths)
    losses = head.loss_by_feat(*map(list, zip(*parts, strict=True)), truths, metas)
    return torch.stack([value.sum() for value in losses.values()]).sum()


def rvt_loss(head: Any, levels: list[Tensor], truths: list[InstanceData]) -> Tensor:
    """The loss of RVT's head."""
    outputs, x_shifts, y_shifts, strides = [], [], [], []
    for k, (level, stride) in enumerate(zip(levels, STRIDES, strict=True)):
        output, grid = head.get_output_and_grid(level.clone(), k, stride, 'torch.FloatTensor')
        outputs.append(output)
        x_shifts.append(grid[:, :, 0])
        y_shifts.append(grid[:, :, 1])
        strides.append(torch.full((1, grid.shape[1]), float(stride)))
    labels = torch.zeros(len(truths), max(1, *map(len, truths)), 5)
    for row, truth in zip(labels, truths, strict=True):
        low, high = truth.bboxes[:, :2], truth.bboxes[:, 2:]
        row[: len(truth)] = torch.cat([truth.labels[:, None], (low + high) / 2, high - low], 1)
    outputs = torch.cat(outputs, 1)
    return head.get_losses(x_shifts, y_shifts, strides, labels, outputs, [], outputs.dtype)[0]


def compare_losses(ours: Callable, theirs: Callable, cases: int) -> Iterator[Row]:
    """Loss and its gradient by the outputs, of two functions of outputs and ground truth."""
    largest = dict(loss=0.0, gradient=0.0)
    for seed in range(cases):
        levels, truths = scene(seed)
        values, gradients = [], []
        for function in (ours, theirs):
            loss = function(levels, truths)
            values.append(loss.detach())
            parts = torch.autograd.grad(loss, levels)
            gradients.append(torch.cat([part.flatten() for part in parts]))
        largest['loss'] = max(largest['loss'], relative(*values))
        norm = gradients[1].norm().clamp(min=1e-12)
        difference = float((gradients[0] - gradients[1]).norm() / norm)
        largest['gradient'] = max(largest['gradient'], difference)
    yield Row('YOLOX loss', cases, largest['loss'], 1e-5)
    yield Row('YOLOX loss: gradient', cases, largest['gradient'], 1e-4)
