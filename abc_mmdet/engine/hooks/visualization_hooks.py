"""Images of detections during validation and test, of image files and of events."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from mmengine.runner import Runner

from abc_mmdet.utils.wrapped import leaves
from abc_mmdet.visualization import draw_events
from mmdet.engine.hooks import DetVisualizationHook
from mmdet.registry import HOOKS
from mmdet.structures import DetDataSample


@HOOKS.register_module()
class ImageVisualizationHook(DetVisualizationHook):
    """:class:`DetVisualizationHook` that keeps the folders of the images apart.

    That one writes all images of a test into one folder, by the last part of their names: of
    ``camera_1/0001.jpg`` and ``camera_2/0001.jpg`` only one is left. Here they lie below the
    folder as their images do below that of the data set (``data_prefix``), or below the one that
    several data sets have in common. Options as in :class:`DetVisualizationHook`, whose place it
    takes in ``tools/train.py`` and ``tools/test.py``.

    Examples:
        >>> config = dict(default_hooks=dict(visualization=dict(type='ImageVisualizationHook')))
    """

    test_out_dir: str | None
    _root: str | None = None

    def before_test(self, runner: Runner) -> None:
        """Find the folder that the names of the images begin from."""
        if self.draw and self.test_out_dir is not None:
            self._root = image_root(leaves(runner.test_dataloader.dataset))

    def after_test_iter(
        self, runner: Runner, batch_idx: int, data_batch: dict, outputs: Sequence[DetDataSample]
    ) -> None:
        folder = self.test_out_dir
        for sample in outputs:
            if folder is not None:
                self.test_out_dir = os.path.join(folder, self._below_root(sample.img_path))
            super().after_test_iter(runner, batch_idx, data_batch, [sample])
        self.test_out_dir = folder

    def _below_root(self, path: str) -> str:
        """The folder of an image below that of all images; of one elsewhere, its whole path."""
        folder = os.path.abspath(os.path.dirname(path))
        if self._root is None or os.path.commonpath([folder, self._root]) != self._root:
            return os.path.splitdrive(folder)[1].lstrip(os.sep)
        below = os.path.relpath(folder, self._root)
        return '' if below == os.curdir else below


def image_root(datasets: Sequence[Any]) -> str | None:
    """The folder that names of images in data sets begin from; None if none is known.

    It is that of ``data_prefix``, or ``data_root``; of several, the innermost that they share.
    """
    prefixes = [_prefix(dataset) for dataset in datasets]
    folders = {os.path.abspath(prefix) for prefix in prefixes if prefix}
    return os.path.commonpath(folders) if folders else None


def _prefix(dataset: Any) -> str | None:
    prefixes = getattr(dataset, 'data_prefix', None) or {}
    return prefixes.get('img') or getattr(dataset, 'data_root', None)


@HOOKS.register_module()
class EventVisualizationHook(DetVisualizationHook):
    """:class:`DetVisualizationHook` for clips: there is no image file, the events are the image.

    Images have the size of the sensor, in which boxes are evaluated. Options as in
    :class:`DetVisualizationHook`; it also takes the place of that one in ``default_hooks``, so
    that ``tools/test.py --show-dir`` works as for images.

    Examples:
        >>> config = dict(default_hooks=dict(visualization=dict(type='EventVisualizationHook')))
    """

    def after_val_iter(
        self, runner: Runner, batch_idx: int, data_batch: dict, outputs: Sequence[DetDataSample]
    ) -> None:
        step = runner.iter + batch_idx
        if self.draw and outputs and step % self.interval == 0:
            self._draw(data_batch, outputs[:1], 'val_events', [step])

    def after_test_iter(
        self, runner: Runner, batch_idx: int, data_batch: dict, outputs: Sequence[DetDataSample]
    ) -> None:
        if not self.draw:
            return
        folder = None
        if self.test_out_dir is not None:
            folder = Path(runner.work_dir) / runner.timestamp / self.test_out_dir
            folder.mkdir(parents=True, exist_ok=True)
        steps = range(self._test_index, self._test_index + len(outputs))
        self._test_index += len(outputs)
        self._draw(data_batch, outputs, 'test_events', steps, folder)

    def _draw(
        self,
        data_batch: dict,
        outputs: Sequence[DetDataSample],
        name: str,
        steps: Sequence[int],
        folder: Path | None = None,
    ) -> None:
        events = {
            sample.img_id: clip[sample.step]
            for clip, samples in zip(data_batch['inputs'], data_batch['data_samples'], strict=True)
            if len(samples)
            for sample in samples
        }
        for step, sample in zip(steps, outputs, strict=True):
            self._visualizer.add_datasample(
                sample.img_path if self.show else name,
                sensor_image(events[sample.img_id].cpu().numpy(), sample.ori_shape),
                data_sample=in_sensor_pixels(sample),
                show=self.show,
                wait_time=self.wait_time,
                pred_score_thr=self.score_thr,
                out_file=folder and str(folder / sample.img_path),
                step=step,
            )


def sensor_image(representation: np.ndarray, ori_shape: tuple[int, int]) -> np.ndarray:
    """RGB image of a representation in the size of the sensor, ``(height, width)``."""
    image = draw_events(representation)[..., ::-1]
    return cv2.resize(image, ori_shape[::-1], interpolation=cv2.INTER_NEAREST)


def in_sensor_pixels(sample: DetDataSample) -> DetDataSample:
    """A copy whose ground truth is in the pixels that its detections are in."""
    copy = DetDataSample(metainfo=sample.metainfo)
    copy.gt_instances = sample.gt_instances.clone()
    scale = copy.gt_instances.bboxes.new_tensor([*sample.scale_factor] * 2)
    copy.gt_instances.bboxes = copy.gt_instances.bboxes / scale
    copy.pred_instances = sample.pred_instances
    return copy
