"""From a clip on disk to what :class:`StreamingDetector` takes."""

from __future__ import annotations

import numpy as np
import torch
from mmcv.transforms import BaseTransform
from mmengine.structures import InstanceData

from abc_mmdet.errors import UserError
from mmdet.registry import TRANSFORMS
from mmdet.structures import DetDataSample, TrackDataSample


def check_clip(results: dict, field: str) -> None:
    """Refuse what is no clip, such as the image that ``inference_detector`` of MMDetection gives.

    Args:
        results: of a pipeline.
        field: what a clip has at this step.

    Raises:
        UserError: it has no such field.
    """
    if field not in results:
        image = results.get('img_path')
        raise UserError(
            f'This pipeline is of event recordings, and got {image or "an image"}: a detector '
            'with memory takes clips of a recording, not single images. tools/test.py evaluates '
            'recordings, tools/analysis_tools/browse_events.py draws what is found in them.'
        )


@TRANSFORMS.register_module()
class LoadEventClip(BaseTransform):
    """Reads the representations of a clip.

    Adds ``events``, uint8 ``(T, C, H, W)``, and to every frame ``gt_bboxes`` ``(N, 4)``, xyxy in
    pixels of the representation.
    """

    def transform(self, results: dict) -> dict:
        check_clip(results, 'sequence')
        results['events'] = results['sequence'].representations(results['start'], results['stop'])
        scale = np.array([*results['scale_factor']] * 2, np.float32)
        for frame in results['frames']:
            frame['gt_bboxes'] = frame['bboxes'] * scale
        return results


@TRANSFORMS.register_module()
class RandomFlipClip(BaseTransform):
    """Mirrors a clip left to right, all clips of one pass through a recording alike.

    Args:
        prob: how often.
    """

    def __init__(self, prob: float = 0.5) -> None:
        self.prob = prob

    def transform(self, results: dict) -> dict:
        check_clip(results, 'events')
        if np.random.default_rng(results['seed']).random() >= self.prob:
            return results
        results['events'] = results['events'][..., ::-1]
        width = results['events'].shape[-1]
        for frame in results['frames']:
            boxes = frame['gt_bboxes']
            frame['gt_bboxes'] = np.stack(
                [width - boxes[:, 2], boxes[:, 1], width - boxes[:, 0], boxes[:, 3]], axis=1
            )
        return results


@TRANSFORMS.register_module()
class PackClipInputs(BaseTransform):
    """``inputs``: uint8 ``(T, C, H, W)``; ``data_samples``: a ``TrackDataSample``.

    Its ``video_data_samples`` are the labelled steps alone, each a ``DetDataSample`` whose ``step``
    says which step of the clip it is. Its meta information names the clip: ``recording``,
    ``start``, ``stop``, ``seed``, ``streamed``.
    """

    def transform(self, results: dict) -> dict:
        check_clip(results, 'events')
        events = torch.from_numpy(np.ascontiguousarray(results['events']))
        clip = TrackDataSample(
            metainfo={k: results[k] for k in ('recording', 'start', 'stop', 'seed', 'streamed')}
        )
        samples = [self._sample(results, frame) for frame in results['frames']]
        if samples:  # the container does not take an empty list
            clip.video_data_samples = samples
        return dict(inputs=events, data_samples=clip)

    @staticmethod
    def _sample(results: dict, frame: dict) -> DetDataSample:
        shape = tuple(results['events'].shape[-2:])
        name = f'{results["name"]}_{frame["timestamp_us"] // 1000:07d}ms'
        sample = DetDataSample(
            metainfo=dict(
                img_id=frame['img_id'],
                img_path=f'{name}.png',
                recording=results['name'],
                timestamp_us=frame['timestamp_us'],
                step=frame['step'],
                ori_shape=results['ori_shape'],
                img_shape=shape,
                scale_factor=results['scale_factor'],
                instances=[
                    dict(bbox=box.tolist(), bbox_label=int(label), ignore_flag=0, still=bool(still))
                    for box, label, still in zip(
                        frame['bboxes'], frame['labels'], frame['still'], strict=True
                    )
                ],
            )
        )
        sample.gt_instances = InstanceData(
            bboxes=torch.from_numpy(frame['gt_bboxes']), labels=torch.from_numpy(frame['labels'])
        )
        return sample
