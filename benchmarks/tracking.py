"""Trackers on small objects of known identity: MOTA, IDF1 and changes of identity at rising speeds.

20 objects go straight on in all directions; a detection in twenty is missing, one per image is
false, corners are off by half a pixel. MMDetection's ByteTrack and OC-SORT stand beside those of
``abc-mmdet predict --track``, all with the same thresholds.

    pip install motmetrics
    python benchmarks/tracking.py [--images 40] [--json FILE]
"""

import argparse
import json
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from mmengine.registry import init_default_scope
from mmengine.structures import InstanceData
from torchvision.ops import box_iou

import abc_mmdet  # noqa: F401
from abc_mmdet.apis import user_messages
from abc_mmdet.apis.options import whole_number
from abc_mmdet.inference import Tracking
from abc_mmdet.models.trackers.assignment import offer_to_mmdet
from abc_mmdet.utils.atomic_write import atomic_write
from mmdet.registry import MODELS
from mmdet.structures import DetDataSample

SPEEDS = (0.1, 0.5, 1.2, 2.0, 3.0)  # sizes per image
SIZE, FRAME, OBJECTS = 8.0, (1280, 720), 20
FOUND = 0.3  # IoU from which on a box of a track is that of an object


class Image(NamedTuple):
    """Numbers and boxes of the objects in an image, and boxes and scores of what was detected."""

    objects: np.ndarray
    truth: np.ndarray
    boxes: np.ndarray
    scores: np.ndarray


def sequence(speed: float, images: int, seed: int = 0) -> list[Image]:
    rng = np.random.default_rng(seed)
    start, angle = rng.uniform([0, 0], FRAME, (OBJECTS, 2)), rng.uniform(0, 2 * np.pi, OBJECTS)
    half = rng.uniform(0.75, 1.5, (OBJECTS, 1)) * SIZE / 2
    step = np.stack([np.cos(angle), np.sin(angle)], axis=1) * speed * 2 * half
    made = []
    for number in range(images):
        at = start + step * number
        is_inside = ((at > 0) & (at < FRAME)).all(axis=1)
        truth = np.concatenate([at - half, at + half], axis=1)[is_inside]
        kept = truth[rng.random(len(truth)) > 0.05]
        kept = kept + rng.normal(0, 0.5, kept.shape)
        false = rng.uniform([0, 0], FRAME, (rng.poisson(1), 2))
        others = np.concatenate([false - SIZE / 2, false + SIZE / 2], axis=1)
        boxes = np.concatenate([kept, others])
        scores = rng.uniform(0.35, 0.9, len(boxes))
        made.append(Image(np.flatnonzero(is_inside), truth, boxes, scores))
    return made


def figures(tracker: Any, images: list[Image]) -> tuple[float, float, int]:
    import motmetrics

    counted = motmetrics.MOTAccumulator(auto_id=True)
    for number, image in enumerate(images):
        sample = DetDataSample(metainfo=dict(frame_id=number))
        sample.pred_instances = InstanceData(
            bboxes=torch.from_numpy(image.boxes).float(),
            scores=torch.from_numpy(image.scores).float(),
            labels=torch.zeros(len(image.boxes), dtype=torch.long),
        )
        tracks = tracker.track(sample)
        overlaps = box_iou(torch.from_numpy(image.truth).float(), tracks.bboxes).numpy()
        distances = np.where(overlaps >= FOUND, 1 - overlaps, np.nan)
        counted.update(image.objects, tracks.instances_id.numpy(), distances)
    names = ['mota', 'idf1', 'num_switches']
    mota, idf1, changes = motmetrics.metrics.create().compute(counted, metrics=names).iloc[0]
    return float(mota), float(idf1), int(changes)


def trackers() -> dict[str, Any]:
    init_default_scope('mmdet')
    offer_to_mmdet()
    plain = dict(motion=dict(type='KalmanFilter'), init_track_thr=0.3, num_frames_retain=30)
    byte = dict(type='ByteTracker', obj_score_thrs=dict(high=0.3, low=0.1), **plain)
    return {
        "MMDetection's ByteTrack": lambda: MODELS.build(byte),
        "MMDetection's OC-SORT": lambda: MODELS.build(
            dict(type='OCSORTTracker', obj_score_thr=0.3, **plain)
        ),
        'ByteTrack, nwd': Tracking('bytetrack', 'nwd').build,
        'ByteTrack, biou': Tracking('bytetrack', 'biou').build,
        'OC-SORT, nwd': Tracking('ocsort', 'nwd').build,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition('\n')[0])
    parser.add_argument('--images', type=whole_number, default=40)
    parser.add_argument('--json', type=Path)
    args = parser.parse_args()
    rows: dict[str, Any] = {}
    for name, build in trackers().items():
        rows[name] = {speed: figures(build(), sequence(speed, args.images)) for speed in SPEEDS}
        cells = (f'{mota:.2f} / {idf1:.2f}' for mota, idf1, _ in rows[name].values())
        print(f'| {name} | {" | ".join(cells)} |', flush=True)
    if args.json:
        atomic_write(args.json, json.dumps(rows, indent=1).encode())


if __name__ == '__main__':
    with user_messages():
        main()
