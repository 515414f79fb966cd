"""A trained detector for daily use."""

from __future__ import annotations

from inspect import signature
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from mmengine.structures import InstanceData

from abc_mmdet.apis.experiment import load_experiment
from abc_mmdet.apis.inference_model import load_inference_model, without_auxiliary
from abc_mmdet.apis.picture_detector import PictureDetector
from abc_mmdet.apis.picture_pipeline import picture_pipeline
from abc_mmdet.apis.preflight import check_checkpoint
from abc_mmdet.apis.sliced_config import sliced
from abc_mmdet.checkpoint_loading import weights_only
from abc_mmdet.errors import UserError


class Detector(PictureDetector):
    """Config and checkpoint as a function from pictures to detections::

        detector = Detector('config.py', 'weights.pth')
        detections = detector('image.jpg')
        detections.save('drawn.jpg')

    For every detector of images, ABC or not; the auxiliary branch is not built. Pictures go
    through the config's test pipeline, so detections are those of ``tools/test.py``.

    Args:
        config: a file or what was read from it.
        checkpoint: its weights. Nothing in it is run, see :mod:`abc_mmdet.checkpoint_loading`.
        device: such as ``'cuda:0'``; default: a GPU if there is one.
        slicing: detect in overlapping slices: fields of
            :func:`abc_mmdet.apis.sliced_config.sliced`: ``slice_size`` and, if they are to differ
            from the defaults, ``overlap``, ``merge``, ``upscale``, ``batch_size`` (of slices) and
            ``full_image``.
        batch_size: pictures of one size that go through the network together.
        trust: read a checkpoint that brings Python objects along, which can run any program.

    Raises:
        UserError: files that are missing or do not belong together, a detector whose inputs are no
            images, a device that is not there.
    """

    def __init__(
        self,
        config: str | Path | Config,
        checkpoint: str | Path,
        device: str | None = None,
        slicing: dict[str, Any] | None = None,
        batch_size: int = 1,
        trust: bool = False,
    ) -> None:
        config = config if isinstance(config, Config) else load_experiment(str(config))
        check_checkpoint(str(checkpoint), 'checkpoint')
        config = without_auxiliary(config)
        if slicing is not None:
            try:
                settings = signature(sliced).bind(config, **slicing)
            except TypeError as error:
                raise UserError(f'slicing={slicing}: {error}. See the help of sliced().') from None
            config = sliced(*settings.args, **settings.kwargs)
        transforms = picture_pipeline(config)
        self.device = device or ('cuda' if torch.cuda.is_available() else 'cpu')
        self.model: Any
        with weights_only(trust or None):
            self.model, classes = load_inference_model(config, str(checkpoint), self.device)
        super().__init__(transforms, classes, batch_size)

    @torch.no_grad()
    def _predict(self, batch: dict[str, Any]) -> list[InstanceData]:
        return [sample.pred_instances for sample in self.model.test_step(batch)]
