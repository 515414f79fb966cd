"""Clips of event recordings in pipelines: loaded, mirrored, zoomed, packed."""

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
    if field in results:
        return
    if 'sequence' in results:
        raise UserError(
            f'A clip of {results.get("name", "a recording")} has no {field!r} at this step of the '
            'pipeline: it begins with LoadEventClip and ends with PackClipInputs. Put it right in '
            'test_dataloader.dataset.pipeline, or where else this pipeline stands.'
        )
    image = results.get('img_path')
    raise UserError(
        f'This pipeline is of event recordings, and got {image or "an image"}: a detector with '
        'memory takes clips of a recording, not single images. To detect in recordings there are '
        'abc-mmdet predict (tools/infer.py) and abc_mmdet.StreamingInferencer; tools/test.py '
        'evaluates, tools/analysis_tools/browse_events.py draws.'
    )


@TRANSFORMS.register_module()
class LoadEventClip(BaseTransform):
    """Reads the representations of a clip.

    Adds ``events``, uint8 ``(T, C, H, W)``, ``step_us`` ``(T,)``, the time from the step before to
    each, and to every frame ``gt_bboxes`` ``(N, 4)``, xyxy in pixels of the representation.

    Examples:
        >>> pipeline = [dict(type='LoadEventClip'), dict(type='PackClipInputs')]
        >>> type(TRANSFORMS.build(pipeline[0])).__name__
        'LoadEventClip'
    """

    def transform(self, results: dict) -> dict:
        check_clip(results, 'sequence')
        results['events'] = results['sequence'].representations(results['start'], results['stop'])
        results['step_us'] = results['sequence'].step_us[results['start'] : results['stop']]
        scale = np.array([*results['scale_factor']] * 2, np.float32)
        for frame in results['frames']:
            frame['gt_bboxes'] = frame['bboxes'] * scale
        return results


@TRANSFORMS.register_module()
class RandomFlipClip(BaseTransform):
    """Mirrors a clip left to right, all clips of one pass through a recording alike.

    Args:
        prob: how often.

    Examples:
        >>> clip = dict(events=np.arange(3).reshape(1, 1, 1, 3), frames=[], seed=0)
        >>> RandomFlipClip(prob=1).transform(clip)['events'].ravel().tolist()
        [2, 1, 0]
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
    ``start``, ``stop``, ``seed``, ``streamed``, and ``step_us`` where lengths of steps are known.

    Examples:
        >>> place = dict(recording=0, start=0, stop=2, seed=0, streamed=True)
        >>> clip = dict(events=np.zeros((2, 20, 4, 6), np.uint8), frames=[], **place)
        >>> PackClipInputs().transform(clip)['inputs'].shape
        torch.Size([2, 20, 4, 6])
    """

    def transform(self, results: dict) -> dict:
        check_clip(results, 'events')
        events = torch.from_numpy(np.ascontiguousarray(results['events']))
        clip = TrackDataSample(
            metainfo={k: results[k] for k in ('recording', 'start', 'stop', 'seed', 'streamed')}
        )
        if 'step_us' in results:
            clip.set_metainfo(dict(step_us=np.asarray(results['step_us']).tolist()))
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


_PER_BOX = ('bboxes', 'gt_bboxes', 'labels', 'still')


@TRANSFORMS.register_module()
class RandomZoomClip(BaseTransform):
    """Magnifies a part of a clip, or shrinks the whole of it into a part of the frame.

    As RVT does (Gehrig and Scaramuzza, 2023): clips on their own are mostly magnified, to a part
    that has the whole of one object of their last labelled step in it; streams, which do not know
    what is to come, are only shrunk, all clips of one pass alike. Counts are resampled by nearest
    neighbour.

    Args:
        prob: how often clips on their own change.
        stream_prob: how often streams change.
        zoom_in: range of the factor by which a part is magnified; less for an object that would
            not fit in.
        zoom_out: range of the factor by which the whole is shrunk.
        zoom_in_share: how many of the changed clips are magnified.

    Examples:
        >>> clip = dict(events=np.ones((1, 1, 40, 40)), frames=[], seed=0, streamed=True)
        >>> shrink = RandomZoomClip(stream_prob=1, zoom_out=(2.0, 2.0))
        >>> int(shrink.transform(clip)['events'].sum())  # of 1600 pixels
        400
    """

    def __init__(
        self,
        prob: float = 0.8,
        stream_prob: float = 0.5,
        zoom_in: tuple[float, float] = (1.0, 1.5),
        zoom_out: tuple[float, float] = (1.0, 1.2),
        zoom_in_share: float = 0.8,
    ) -> None:
        self.prob, self.stream_prob = prob, stream_prob
        self.zoom_in, self.zoom_out = zoom_in, zoom_out
        self.zoom_in_share = zoom_in_share

    def transform(self, results: dict) -> dict:
        # a stream of its own, so that it does not depend on what RandomFlipClip drew
        rng = np.random.default_rng((results['seed'], 1))
        if rng.random() >= (self.stream_prob if results['streamed'] else self.prob):
            return results
        magnify = rng.random() < self.zoom_in_share
        boxes = results['frames'][-1]['gt_bboxes'] if results['frames'] else ()
        if results['streamed'] or not magnify:
            self._shrink(results, rng)
        elif len(boxes):
            self._magnify(results, boxes[rng.integers(len(boxes))], rng)
        return results

    def _shrink(self, results: dict, rng: np.random.Generator) -> None:
        events = results['events']
        size = np.array(events.shape[:-3:-1])  # width, height
        window = (size / rng.uniform(*self.zoom_out)).astype(int)
        x, y = rng.integers(size - window + 1)
        canvas = np.zeros_like(events)
        canvas[..., y : y + window[1], x : x + window[0]] = resample(events, window)
        results['events'] = canvas
        for frame in results['frames']:
            scale = window / size
            frame['gt_bboxes'] = (frame['gt_bboxes'] * [*scale, *scale] + [x, y, x, y]).astype('f4')

    def _magnify(self, results: dict, box: np.ndarray, rng: np.random.Generator) -> None:
        events = results['events']
        size = np.array(events.shape[:-3:-1])
        first = np.floor(np.clip(box[:2], 0, size - 1)).astype(int)
        behind = np.maximum(np.ceil(np.clip(box[2:], 0, size)).astype(int), first + 1)
        # not so far that the object no longer fits
        factor = min(rng.uniform(*self.zoom_in), *(size / (behind - first)))
        window = np.maximum((size / factor).astype(int), behind - first)
        low, high = np.maximum(behind - window, 0), np.minimum(first, size - window)
        x, y = rng.integers(low, high + 1)
        part = events[..., y : y + window[1], x : x + window[0]]
        results['events'] = resample(part, size)
        scale = np.tile(size / window, 2)
        for frame in results['frames']:
            moved = (frame['gt_bboxes'] - [x, y, x, y]) * scale
            clipped = np.clip(moved, 0, np.tile(size, 2))
            frame['gt_bboxes'] = clipped.astype('f4')
            seen = (clipped[:, 2:] - clipped[:, :2] >= 1).all(axis=1)
            frame.update({key: frame[key][seen] for key in _PER_BOX})


def resample(events: np.ndarray, size: np.ndarray) -> np.ndarray:
    """``(..., H, W)`` resized to ``size`` (width, height): each pixel takes its nearest source."""
    columns, rows = (
        ((np.arange(new) + 0.5) * (old / new)).astype(int)
        for new, old in zip(size, events.shape[:-3:-1], strict=True)
    )
    return events[..., rows[:, None], columns]
