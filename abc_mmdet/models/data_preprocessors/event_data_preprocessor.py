"""Clips of event representations on their way into a detector."""

from __future__ import annotations

from mmengine.model import BaseDataPreprocessor

from abc_mmdet.errors import UserError
from mmdet.registry import MODELS


@MODELS.register_module()
class EventDataPreprocessor(BaseDataPreprocessor):
    """Moves clips to the device and notes the size of the network's input.

    Counts of events are the input as they are; the backbone pads to the size it needs.
    ``non_blocking=True`` copies to a GPU without waiting, as in MMEngine's class.

    Raises:
        UserError: clips of one batch have different sizes.

    Examples:
        >>> import torch
        >>> clips = EventDataPreprocessor()(dict(inputs=[torch.zeros(5, 20, 36, 64)]))
        >>> clips['inputs'][0].shape
        torch.Size([5, 20, 36, 64])
    """

    def forward(self, data: dict, training: bool = False) -> dict:
        """``inputs``: a list of ``(T, C, H, W)`` or one tensor ``(B, C, H, W)`` of single steps."""
        data = self.cast_data(data)
        shapes = {tuple(clip.shape[-2:]) for clip in data['inputs']}
        if len(shapes) > 1:
            raise UserError(
                f'Recordings of different sizes (height, width) in one batch: {sorted(shapes)}. '
                'Keep recordings of different sensors in data sets of their own.'
            )
        shape = shapes.pop()
        for clip in data.get('data_samples') or []:
            for sample in clip if len(clip) else []:
                sample.set_metainfo(dict(pad_shape=shape, batch_input_shape=shape))
        return data
