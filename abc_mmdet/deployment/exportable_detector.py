"""The part of a detector that goes into an ONNX graph."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn

from abc_mmdet.errors import UserError
from abc_mmdet.models.backbones import MaxViTRNN
from abc_mmdet.models.backbones.maxvit_rnn import COARSEST
from abc_mmdet.models.data_preprocessors import EventDataPreprocessor
from abc_mmdet.models.dense_heads import ABCHead
from abc_mmdet.models.detectors import StreamingDetector
from mmdet.models.detectors import SingleStageDetector

from .decoding import Candidates, clips, decode

HISTOGRAM_CHANNELS = 20
"""Of RVT's stacked histograms, two polarities of ten bins: what images of events are made of."""


class ExportableDetector(nn.Module):
    """Backbone, neck, main head and decoding of a single-stage detector, without suppression.

    Layers run in the type of the parameters, decoding in float32: half precision has steps of half
    a pixel from 1024 on.

    A recurrent detector takes the state before a step and gives the one after it, so that a stream
    can be followed outside. At the beginning of a stream all states are zeros.

    Args:
        detector: in evaluation mode.
        histogram_channels: of the stacked histograms that images of events are made of.

    Raises:
        UserError: not a single-stage detector, or one of events whose padding the graph, which is
            given padded counts, does not know.
    """

    def __init__(self, detector: nn.Module, histogram_channels: int = HISTOGRAM_CHANNELS) -> None:
        super().__init__()
        self.histogram_channels = histogram_channels
        if not isinstance(detector, SingleStageDetector):
            raise UserError(
                f'{type(detector).__name__} cannot be exported: this is for single-stage detectors.'
            )
        self.detector = detector
        preprocessor = detector.data_preprocessor
        if isinstance(preprocessor, EventDataPreprocessor) and not preprocessor.pads_with_nothing:
            raise UserError(
                f'data_preprocessor.pad_value={preprocessor.pad_value}: an exported graph is given '
                'counts that are padded with pixels without events; leave pad_value out.'
            )

    @property
    def head(self) -> Any:
        """The head that detects, without what is around it in training."""
        head = self.detector.bbox_head
        return head.main_head if isinstance(head, ABCHead) else head

    @property
    def is_of_events(self) -> bool:
        """Takes event representations, not images."""
        return isinstance(self.detector, StreamingDetector)

    @property
    def clips(self) -> bool:
        """Has the sizes of images among its inputs."""
        return clips(self.head)

    @property
    def is_recurrent(self) -> bool:
        """Has states among its inputs and outputs."""
        return self.is_of_events and self.detector.is_recurrent

    @property
    def step_ms(self) -> float | None:
        """Of the memory that forgets by time; it has the input ``elapsed``."""
        return self.detector.step_ms if self.is_recurrent else None

    @property
    def channels(self) -> int:
        """Channels of the input."""
        if not self.is_of_events:
            return 3
        return getattr(self.detector.backbone, 'in_channels', self.histogram_channels)

    @property
    def strides(self) -> list[int]:
        """Of the levels that detect, in pixels."""
        return [s if isinstance(s, int) else s[0] for s in self.head.prior_generator.strides]

    @property
    def multiples(self) -> tuple[int, int]:
        """Height and width of an input are multiples of these."""
        divisor = getattr(self.detector.data_preprocessor, 'pad_size_divisor', 1)
        common = math.lcm(divisor, *self.strides)
        backbone = self.detector.backbone
        if not isinstance(backbone, MaxViTRNN):
            return common, common
        split = backbone.partition_size or (backbone.partition_split,) * 2
        return math.lcm(common, COARSEST * split[0]), math.lcm(common, COARSEST * split[1])

    def state_shapes(self, height: int, width: int) -> list[tuple[int, ...]]:
        """Channels, height and width of hidden states and cells, in turns."""
        if not self.is_recurrent:
            return []
        parameter = next(self.detector.parameters())
        counts = torch.zeros(1, self.channels, height, width, device=parameter.device)
        with torch.no_grad():
            _, after = self.detector.step(self._preprocessed(counts))
        return [part.shape[1:] for pair in after if pair for part in pair]

    def _preprocessed(self, images: Tensor) -> Tensor:
        """In the type of the parameters; of events with their image."""
        preprocessor = self.detector.data_preprocessor
        if isinstance(preprocessor, EventDataPreprocessor):  # images are preprocessed outside
            images = preprocessor.prepare(images)
        return images.to(next(self.detector.parameters()).dtype)

    @property
    def state_names(self) -> list[str]:
        """Of the inputs for states: hidden states and cells, in turns."""
        if not self.is_recurrent:
            return []
        return [f'{part}_{i}' for i in range(self.detector.num_states) for part in 'hc']

    def forward(self, images: Tensor, *rest: Tensor) -> tuple[Tensor, ...]:
        """All that the head says, and the states after this step.

        Args:
            images: ``(B, C, H, W)``, float32, preprocessed, or counts of events; sizes as
                :attr:`multiples`.
            *rest: if it :attr:`clips`, height and width of the images without padding
                ``(B, 2)``, float32; with :attr:`step_ms` the lengths of the steps as multiples of
                it ``(B,)``; then states as :meth:`state_shapes`, with ``B`` before each.

        Returns:
            Boxes ``(B, N, 4)``, scores of the candidates and of everything ``(B, N, C)`` (see
            :class:`Candidates` and :func:`decode`), then the states.
        """
        given = list(rest)
        sizes = given.pop(0) if self.clips else None
        elapsed = None if self.step_ms is None else given.pop(0)
        x = self._preprocessed(images)
        after: tuple[tuple[Tensor, Tensor], ...] = ()
        if self.is_recurrent:
            pairs = tuple(zip(given[0::2], given[1::2], strict=True))
            pyramid, after = self.detector.step(x, pairs, elapsed)
        elif self.is_of_events:
            pyramid, _ = self.detector.step(x)
        else:
            features = self.detector.backbone(x)
            pyramid = self.detector.neck(features) if self.detector.with_neck else features
        outputs = self.detector.bbox_head(pyramid)
        decoded = decode(self.head, outputs, sizes)
        chosen = Candidates.of(self.head)(decoded)
        return (
            decoded.boxes,
            chosen,
            decoded.scores,
            *(part.float() for pair in after for part in pair),
        )


def example_inputs(
    model: ExportableDetector, batch: int, height: int, width: int
) -> tuple[Tensor, ...]:
    """Zeros of the shapes that ``forward`` takes, of which only the upper left three quarters of
    every second image are no padding."""
    images = torch.zeros(batch, model.channels, height, width)
    sizes = torch.tensor([[height, width], [height * 0.75, width * 0.75]])
    return (
        images,
        *([sizes[torch.arange(batch) % 2]] if model.clips else []),
        *([] if model.step_ms is None else [torch.ones(batch)]),
        *(torch.zeros(batch, *shape) for shape in model.state_shapes(height, width)),
    )
