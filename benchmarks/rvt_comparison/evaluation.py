"""Detections as they are selected, and AP under Prophesee's protocol."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor

from abc_mmdet.evaluation import SmallObjectMetric

from .loss import SIZE, scene
from .network import decoded
from .row import Row

CLASSES = dict(gen1=('car', 'pedestrian'), gen4=('pedestrian', 'two wheeler', 'car'))
CAMERAS = {  # which, width, height, whether it is halved
    'Gen1, 304x240': ('gen1', 304, 240, False),
    '1 Mpx, 1280x720': ('gen4', 1280, 720, False),
    '1 Mpx, 640x360': ('gen4', 640, 360, True),
}
FLOATS, COUNTS = ('x', 'y', 'w', 'h', 'class_confidence'), ('class_id', 'track_id')
BOXES = np.dtype([('t', 'i8'), *((k, 'f4') for k in FLOATS), *((k, 'u4') for k in COUNTS)])
Frames = list[tuple[np.ndarray, np.ndarray]]
"""Ground truth and detections of each frame, both :data:`BOXES`."""


def recording(seed: int, width: int, height: int, num_classes: int, frames: int = 30) -> Frames:
    """Frames at 10 Hz from 0.3 s on: many small boxes, frames without any, detections over the
    border, false alarms and repeated scores."""
    rng = np.random.default_rng(seed)
    found = []
    for frame in range(frames):
        number = int(rng.choice([0, 1, 4, 10]))
        truth = np.zeros(number, BOXES)
        sides = 5 * (height / 10) ** rng.random((2, number))
        truth['w'], truth['h'] = sides
        truth['x'] = rng.random(number) * (width - truth['w'])
        truth['y'] = rng.random(number) * (height - truth['h'])
        truth['x'][: number // 3] = 0
        truth['class_id'] = rng.integers(0, num_classes, number)
        alarms = np.zeros(int(rng.integers(0, 6)), BOXES)
        alarms['w'], alarms['h'] = 5 * (height / 10) ** rng.random((2, len(alarms)))
        alarms['x'] = rng.random(len(alarms)) * width - alarms['w'] / 2
        alarms['y'] = rng.random(len(alarms)) * height - alarms['h'] / 2
        alarms['class_id'] = rng.integers(0, num_classes, len(alarms))
        seen = truth[rng.random(number) < 0.8].copy()
        for side, of in (('x', 'w'), ('y', 'h'), ('w', 'w'), ('h', 'h')):
            seen[side] += rng.normal(0, 0.12, len(seen)) * seen[of]
        boxes = np.concatenate([seen, alarms])
        boxes = boxes[(boxes['w'] > 1) & (boxes['h'] > 1)]
        boxes['class_confidence'] = rng.random(len(boxes)).round(2)
        truth['t'] = boxes['t'] = 300_000 + 100_000 * frame
        found.append((truth, boxes))
    return found


def our_ap(frames: Frames, width: int, height: int, classes: tuple[str, ...]) -> np.ndarray:
    """AP, AP50 and AP75 of our metric as configs/rvt_evaluation.py sets it up."""
    metric = SmallObjectMetric(protocol='prophesee', proposal_nums=(100,))
    metric.dataset_meta = dict(classes=classes)
    for number, (truth, boxes) in enumerate(frames):
        sample = dict(
            img_id=number,
            ori_shape=(height, width),
            timestamp_us=300_000 + 100_000 * number,
            instances=[
                dict(bbox=box, bbox_label=int(label), ignore_flag=0)
                for box, label in zip(xyxy(truth).tolist(), truth['class_id'], strict=True)
            ],
            pred_instances=dict(
                bboxes=torch.from_numpy(xyxy(boxes)),
                scores=torch.from_numpy(boxes['class_confidence'].copy()),
                labels=torch.from_numpy(boxes['class_id'].astype('i8')),
            ),
        )
        metric.process({}, [sample])
    images, annotations = metric.records(truth for truth, _ in metric.results)
    ids = list(range(len(classes)))
    detections = metric._detections(metric.results, ids)
    figures = metric.evaluate_records(images, annotations, detections, ids)[1]['prophesee']
    return np.array([figures.ap(max_dets=100), figures.ap(0.5), figures.ap(0.75)])


def xyxy(boxes: np.ndarray) -> np.ndarray:
    """Corners, ``(N, 4)``."""
    return np.stack([boxes['x'], boxes['y'], boxes['x'] + boxes['w'], boxes['y'] + boxes['h']], 1)


def compare_ap(evaluate_list: Callable, cases: int) -> Iterator[Row]:
    """AP, AP50 and AP75 of random recordings against RVT's ``evaluate_list``."""
    for camera, (name, width, height, halved) in CAMERAS.items():
        largest = 0.0
        for seed in range(cases):
            frames = recording(seed, width, height, len(CLASSES[name]))
            expected = evaluate_list(
                result_boxes_list=[boxes for _, boxes in frames],
                gt_boxes_list=[truth for truth, _ in frames],
                height=height,
                width=width,
                camera=name,
                downsampled_by_2=halved,
            )
            theirs = np.array([expected[key] for key in ('AP', 'AP_50', 'AP_75')])
            difference = np.abs(our_ap(frames, width, height, CLASSES[name]) - theirs)
            largest = max(largest, float(difference.max()))
        yield Row(f'Prophesee AP: {camera}', cases, largest, 1e-6)


def our_detections(head: Any, levels: list[Tensor], images: int) -> list[np.ndarray]:
    """x1, y1, x2, y2, score and class, in the order of the score."""
    parts = [list(p) for p in zip(*((x[:, 5:], x[:, :4], x[:, 4:5]) for x in levels), strict=True)]
    metas = [dict(img_shape=SIZE, ori_shape=SIZE, scale_factor=(1.0, 1.0))] * images
    return [
        _sorted(np.column_stack([found.bboxes, found.scores, found.labels]))
        for found in head.predict_by_feat(*parts, metas, head.test_cfg)
    ]


def rvt_detections(
    postprocess: Callable, head: Any, levels: list[Tensor], images: int
) -> list[np.ndarray]:
    """The same of RVT, whose evaluation gets the class score alone."""
    parts = zip(*((x[:, 5:], x[:, :4], x[:, 4:5]) for x in levels), strict=True)
    boxes, scores = decoded(head, *parts)
    centres, sides = (boxes[..., :2] + boxes[..., 2:]) / 2, boxes[..., 2:] - boxes[..., :2]
    outputs = torch.cat([centres, sides, scores], -1)
    found = postprocess(outputs, scores.shape[-1] - 1, head.test_cfg.score_thr, 0.45)
    assert len(found) == images
    return [
        _sorted(np.zeros((0, 6)) if x is None else x[:, [0, 1, 2, 3, 5, 6]].numpy()) for x in found
    ]


def _sorted(rows: np.ndarray) -> np.ndarray:
    return rows[np.lexsort(rows.T.round(3))]


def compare_detections(head: Any, postprocess: Callable, cases: int) -> Iterator[Row]:
    """Boxes, ranking scores and classes of the same outputs, after suppression."""
    largest = 0.0
    for seed in range(cases):
        levels, truths = scene(seed)
        levels = [level.detach() for level in levels]
        pairs = zip(
            our_detections(head, levels, len(truths)),
            rvt_detections(postprocess, head, levels, len(truths)),
            strict=True,
        )
        for ours, theirs in pairs:
            same = ours.shape == theirs.shape
            difference = np.abs(ours - theirs).max(initial=0) if same else np.inf
            largest = max(largest, float(difference))
    yield Row('detections ranked by class score', cases, largest, 1e-2)
