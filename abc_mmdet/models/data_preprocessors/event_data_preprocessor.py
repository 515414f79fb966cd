"""Clips of event representations on their way into a detector."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from mmengine.model import BaseDataPreprocessor
from torch import Tensor

from abc_mmdet.errors import UserError
from mmdet.registry import MODELS


@MODELS.register_module()
class EventDataPreprocessor(BaseDataPreprocessor):
    """Moves clips to the device, makes images of them if asked to, and notes their size.

    By default counts of events are the input as they are, and the backbone pads to the size it
    needs, as :class:`MaxViTRNN` does. A network that was trained on photographs takes an ``image``
    of the counts, ``mean`` and ``std`` of its own training, and sides that its strides divide.
    Data sets, and whatever draws or exports, have counts either way.

    Args:
        image: config of what makes images of counts: :class:`PolaritySurface`,
            :class:`EventFrame`.
        mean, std: per channel, subtracted and divided by, as in MMDetection's preprocessor.
        pad_size_divisor: sides become multiples of it, at the right and the bottom.
        pad_value: before ``mean`` and ``std``; None: that of a pixel without events.
        non_blocking: copy to a GPU without waiting, as in MMEngine's class.

    Attributes:
        pads_with_nothing: what is padded is as pixels without events are.

    Raises:
        UserError: one of ``mean`` and ``std`` without the other, or a ``std`` of 0; clips of one
            batch have different sizes.

    Examples:
        >>> clips = EventDataPreprocessor()(dict(inputs=[torch.zeros(5, 20, 36, 64)]))
        >>> clips['inputs'][0].shape
        torch.Size([5, 20, 36, 64])
        >>> of_images = EventDataPreprocessor(dict(type='PolaritySurface'), pad_size_divisor=32)
        >>> of_images(dict(inputs=[torch.zeros(5, 20, 36, 64)]))['inputs'][0].shape
        torch.Size([5, 3, 64, 64])
    """

    def __init__(
        self,
        image: dict | None = None,
        mean: Sequence[float] | None = None,
        std: Sequence[float] | None = None,
        pad_size_divisor: int = 1,
        pad_value: float | None = None,
        non_blocking: bool = False,
    ) -> None:
        super().__init__(non_blocking)
        if (mean is None) != (std is None) or (std is not None and min(std) <= 0):
            raise UserError(
                f'EventDataPreprocessor mean={mean}, std={std}: give both or neither, and a std '
                'above 0.'
            )
        self.image = None if image is None else MODELS.build(image)
        self.pad_size_divisor = pad_size_divisor
        nothing = getattr(self.image, 'background', 0.0)
        self.pad_value = nothing if pad_value is None else pad_value
        self.pads_with_nothing = self.pad_value == nothing or pad_size_divisor == 1
        self.is_normalised = mean is not None
        for name, values in (('mean', mean), ('std', std)):
            if values is not None:
                self.register_buffer(name, torch.tensor(values).view(-1, 1, 1), persistent=False)

    def forward(self, data: dict, training: bool = False) -> dict:
        """``inputs``: a list of ``(T, C, H, W)`` or one tensor ``(B, C, H, W)`` of single steps."""
        data = self.cast_data(data)
        shapes = {tuple(clip.shape[-2:]) for clip in data['inputs']}
        if len(shapes) > 1:
            raise UserError(
                f'Recordings of different sizes (height, width) in one batch: {sorted(shapes)}. '
                'Keep recordings of different sensors in data sets of their own.'
            )
        inputs = data['inputs']
        single = isinstance(inputs, Tensor)
        data['inputs'] = self.prepare(inputs) if single else [self.prepare(clip) for clip in inputs]
        shape = tuple(data['inputs'][0].shape[-2:])
        for clip in data.get('data_samples') or []:
            for sample in clip if len(clip) else []:
                sample.set_metainfo(dict(pad_shape=shape, batch_input_shape=shape))
        return data

    def prepare(self, counts: Tensor) -> Tensor:
        """What the network sees of counts ``(..., C, H, W)``."""
        x = counts if self.image is None else self.image(counts)
        height, width = x.shape[-2:]
        right, bottom = -width % self.pad_size_divisor, -height % self.pad_size_divisor
        if right or bottom:
            x = F.pad(x, (0, right, 0, bottom), value=self.pad_value)
        return (x - self.mean) / self.std if self.is_normalised else x
