"""A trained detector for daily use, whatever runs its network."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from inspect import signature
from itertools import groupby, islice
from pathlib import Path
from typing import Any, overload

import cv2
import numpy as np
import torch
from mmengine.config import Config
from mmengine.dataset import Compose, pseudo_collate
from mmengine.registry import init_default_scope
from mmengine.structures import InstanceData

from abc_mmdet.apis.experiment import check_checkpoint, load_experiment
from abc_mmdet.apis.options import sliced
from abc_mmdet.checkpoints.loading import weights_only
from abc_mmdet.errors import UserError

from .detections import Detections, best_first
from .images import as_image, image_pipeline, read_image
from .model import load_inference_model, without_auxiliary

Image = str | Path | np.ndarray


class ImageDetector(ABC):
    """Calls a network on files and arrays.

    Args:
        transforms: pipeline from ``img`` to packed inputs.
        classes: names, by label.
        batch_size: images of one size that go through the network together. Of other sizes they
            do not: padding would then make detections depend on the company.
    """

    def __init__(
        self, transforms: Sequence[dict[str, Any]], classes: Sequence[str], batch_size: int = 1
    ) -> None:
        init_default_scope('mmdet')
        self.classes = tuple(classes)
        self.batch_size = batch_size
        self._pipeline = Compose(list(transforms))

    @overload
    def __call__(self, images: Image) -> Detections: ...  # type: ignore[overload-overlap]
    @overload
    def __call__(self, images: Sequence[Image]) -> list[Detections]: ...
    def __call__(self, images: Image | Sequence[Image]) -> Detections | list[Detections]:
        """Detections of one image, or of a list of them.

        Args:
            images: a file, an array as :func:`abc_mmdet.inference.images.as_image` takes it
                (blue, green, red), or a list of these.

        Raises:
            UserError: a file that cannot be read, an array that is no image.
        """
        if isinstance(images, (str, Path, np.ndarray)):
            return self([images])[0]
        rest = iter(images)
        found: list[Detections] = []
        while batch := list(islice(rest, self.batch_size)):
            found += self._detect(batch)
        return found

    def _detect(self, batch: list[Image]) -> Iterator[Detections]:
        sources = [as_image(p) if isinstance(p, np.ndarray) else Path(p) for p in batch]
        arrays = [s if isinstance(s, np.ndarray) else read_image(s) for s in sources]
        inputs = [self._prepare(a, i) for i, a in enumerate(arrays)]
        found: list[InstanceData] = []
        for _, alike in groupby(inputs, key=lambda packed: packed['inputs'].shape):
            found += self._predict(pseudo_collate(list(alike)))
        for source, array, instances in zip(sources, arrays, found, strict=True):
            size = (array.shape[1], array.shape[0])
            yield Detections(
                **best_first(instances, size),
                classes=self.classes,
                size=size,
                source=source,
            )

    def _prepare(self, image: np.ndarray, number: int) -> dict[str, Any]:
        try:
            return self._pipeline(
                dict(img=image, img_id=number, img_path=None, scale_factor=(1.0, 1.0))
            )
        except (cv2.error, MemoryError) as error:
            height, width = image.shape[:2]
            raise UserError(
                f'an image of {width} x {height} pixels cannot be brought to the size of the '
                f"network's input, nothing or too much of it would be left ({str(error).strip()})"
            ) from error

    @abstractmethod
    def _predict(self, batch: dict[str, Any]) -> list[InstanceData]:
        """``bboxes`` in pixels of the original images, ``scores`` and ``labels``, per image."""


class Detector(ImageDetector):
    """Config and checkpoint as a function from images to detections::

        detector = Detector('config.py', 'weights.pth')
        detections = detector('image.jpg')
        detections.save('drawn.jpg')

    For every detector of images, ABC or not; the auxiliary branch is not built. Images go
    through the config's test pipeline, so detections are those of ``tools/test.py``.

    Args:
        config: a file or what was read from it.
        checkpoint: its weights. Nothing in it is run, see :mod:`abc_mmdet.checkpoints.loading`.
        device: such as ``'cuda:0'``; default: a GPU if there is one.
        slicing: detect in overlapping slices: fields of
            :func:`abc_mmdet.apis.options.sliced`: ``slice_size`` and, if they are to differ
            from the defaults, ``overlap``, ``merge``, ``upscale``, ``batch_size`` (of slices) and
            ``full_image``.
        batch_size: images of one size that go through the network together.
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
        transforms = image_pipeline(config)
        self.device = device or ('cuda' if torch.cuda.is_available() else 'cpu')
        self.model: Any
        with weights_only(trust or None):
            self.model, classes = load_inference_model(config, str(checkpoint), self.device)
        super().__init__(transforms, classes, batch_size)

    @torch.no_grad()
    def _predict(self, batch: dict[str, Any]) -> list[InstanceData]:
        return [sample.pred_instances for sample in self.model.test_step(batch)]
