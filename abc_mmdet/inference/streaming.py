"""Detection in event recordings and live streams of events, window by window."""

from __future__ import annotations

from pathlib import Path

import torch
from mmengine.config import Config

from abc_mmdet.apis.experiment import check_checkpoint, load_experiment
from abc_mmdet.checkpoints.loading import weights_only
from abc_mmdet.errors import UserError
from abc_mmdet.models.detectors.streaming_detector import StreamingDetector

from .model import event_pipeline, histogram_of, load_inference_model, without_auxiliary
from .window_inferencer import WindowInferencer


class StreamingInferencer(WindowInferencer):
    """Config and checkpoint as a function from events to detections::

        inferencer = StreamingInferencer('config.py', 'weights.pth')
        for detections in inferencer('recording.raw'):
            print(detections.time_us, detections.names, detections.boxes)

    Windows, representation, pipeline and memory are those of ``tools/test.py`` on the converted
    recording, and so are the detections. Memory begins anew where the clock of the recording jumps.

    Args:
        config: a file or what was read from it; its test data are an :class:`EventSequenceDataset`.
        checkpoint: its weights. Nothing in it is run, see :mod:`abc_mmdet.checkpoints.loading`.
        device: such as ``'cuda:0'``; default: a GPU if there is one.
        count_cutoff: of the representation, as the recordings were converted.
        trust: read a checkpoint that brings Python objects along, which can run any program.

    Raises:
        UserError: files that are missing or do not belong together, a config of no event
            recordings, a device that is not there.
    """

    def __init__(
        self,
        config: str | Path | Config,
        checkpoint: str | Path,
        device: str | None = None,
        count_cutoff: int = 10,
        trust: bool = False,
    ) -> None:
        config = config if isinstance(config, Config) else load_experiment(str(config))
        check_checkpoint(str(checkpoint), 'checkpoint')
        config = without_auxiliary(config)
        transforms = event_pipeline(config)
        histogram = histogram_of(config, count_cutoff)
        self.device = device or ('cuda' if torch.cuda.is_available() else 'cpu')
        with weights_only(trust or None):
            model, classes = load_inference_model(config, str(checkpoint), self.device)
        if not isinstance(model, StreamingDetector):
            raise UserError(
                f'{config.filename}: model.type is {type(model).__name__}; streams are for a '
                'StreamingDetector.'
            )
        super().__init__(model, classes, histogram, transforms)
