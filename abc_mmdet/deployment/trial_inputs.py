"""Inputs on which an exported detector is compared with PyTorch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor, nn

from abc_mmdet.apis.picture_file import as_picture, read_picture
from abc_mmdet.deployment.exportable_detector import ExportableDetector

BATCHES = (1, 2)


def trial_inputs(
    model: ExportableDetector, sizes: Sequence[tuple[int, int]], samples: Sequence[Any] = ()
) -> list[Tensor]:
    """Preprocessed inputs of every size in batches of 1 and of 2.

    Args:
        model: whose preprocessing it is.
        sizes: width and height.
        samples: files or arrays, of which the first two of each size are taken; default: something
            generated.

    Raises:
        UserError: a file that cannot be read.
    """
    read = [as_picture(p) if isinstance(p, np.ndarray) else read_picture(p) for p in samples]
    inputs = []
    for width, height in sizes:
        if read:
            resized = [cv2.resize(picture, (width, height)) for picture in (read * 2)[:2]]
            images = torch.from_numpy(np.stack(resized)).permute(0, 3, 1, 2)
        else:
            images = generated_images(2, width, height, model.channels, model.is_of_events)
        if not model.is_of_events:
            images = model.detector.data_preprocessor(dict(inputs=list(images)))['inputs']
        inputs += [images[:batch] for batch in BATCHES]
    return inputs


def generated_images(
    number: int, width: int, height: int, channels: int, of_events: bool, seed: int = 0
) -> Tensor:
    """Something to look at: blobs, edges and noise from 0 to 255, or counts of events.

    Returns:
        float32 ``(number, channels, height, width)``.
    """
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.rand(
        number, channels, max(2, height // 24), max(2, width // 24), generator=generator
    )
    smooth = nn.functional.interpolate(coarse, (height, width), mode='bilinear')
    edges = nn.functional.interpolate(coarse.flip(0, 2), (height, width), mode='nearest')
    if of_events:
        return torch.poisson(2 * (smooth * edges) ** 3, generator=generator)
    noise = torch.randn(smooth.shape, generator=generator)
    return (255 * (0.6 * smooth + 0.4 * edges) + 8 * noise).clamp(0, 255).round()
