"""What stands for ground truth and detections in batches without labelled steps."""

from __future__ import annotations

from typing import Any

import torch
from mmengine.structures import InstanceData
from torch import Tensor

from mmdet.structures import DetDataSample


class NothingFound(list):
    """An empty list whose last entry can be asked for, as MMEngine's loops do: it may be a loss."""

    def __getitem__(self, index: Any) -> Any:
        return None if index == -1 else super().__getitem__(index)


def nothing_to_find(clip: Tensor) -> DetDataSample:
    """A sample without objects, of the size of a clip ``(T, C, H, W)``."""
    shape = tuple(clip.shape[-2:])
    sample = DetDataSample(
        metainfo=dict(img_shape=shape, pad_shape=shape, batch_input_shape=shape, ori_shape=shape)
    )
    sample.gt_instances = InstanceData(
        bboxes=clip.new_zeros((0, 4), dtype=torch.float32),
        labels=clip.new_zeros(0, dtype=torch.long),
    )
    return sample
