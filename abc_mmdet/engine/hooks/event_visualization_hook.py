"""Images of detections on event representations, during validation and test."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from mmengine.runner import Runner

from abc_mmdet.visualization import draw_events
from mmdet.engine.hooks import DetVisualizationHook
from mmdet.registry import HOOKS
from mmdet.structures import DetDataSample


@HOOKS.register_module()
class EventVisualizationHook(DetVisualizationHook):
    """:class:`DetVisualizationHook` for clips: there is no image file, the events are the image.

    Images have the size of the sensor, in which boxes are evaluated. Options as in
    :class:`DetVisualizationHook`; it also takes the place of that one in ``default_hooks``, so
    that ``tools/test.py --show-dir`` works as for images.
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
