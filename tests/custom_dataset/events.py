"""Event recordings in RVT's layout, and configs that read them."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from mmengine.config import Config

from abc_mmdet.datasets.events.labels import FrameTimes
from abc_mmdet.datasets.events.rvt_layout import write_sequence

LABEL = np.dtype([('t', '<i8'), *[(n, '<f4') for n in 'xywh'], ('class_id', '<u4')])
HISTOGRAM = 'stacked_histogram_dt=50_nbins=10'
PEDESTRIAN, CAR, BICYCLE = range(3)
Box = tuple[float, float, float, float, int]  # x, y, w, h in pixels of the sensor, class_id


def record(
    folder: Path,
    frames: Sequence[Sequence[Box]],
    seed: int = 0,
    size: tuple[int, int] = (48, 32),
    late_us: int = 0,
    silent: int = 0,
) -> Path:
    """A recording at half resolution, labelled in every second window.

    ``size`` is that of a representation; ``late_us`` is added to the times of the labels; the
    first ``silent`` windows have no events.
    """
    folder.mkdir(parents=True)
    ends = 50_000 * np.arange(1, 2 * len(frames) + 1)
    times = FrameTimes(ends[1::2], ends, np.arange(1, 2 * len(frames), 2))
    boxes = [(ends[2 * i + 1], *box) for i, frame in enumerate(frames) for box in frame]
    random = np.random.default_rng(seed)
    shape = (20, size[1], size[0])
    counts = (random.poisson(0.1 * (i >= silent), shape).astype(np.uint8) for i in range(len(ends)))
    labels = np.array(boxes, LABEL)
    write_sequence(
        folder, HISTOGRAM, 'event_representations_ds2_sum.h5', shape, counts, times, labels
    )
    if late_us:
        labels['t'] += late_us
        np.savez(
            folder / 'labels_v2' / 'labels.npz',
            labels=labels,
            objframe_idx_2_label_idx=np.searchsorted(labels['t'], ends[1::2] + late_us),
        )
    return folder


def frames(number: int = 3) -> list[list[Box]]:
    """A pedestrian of 8 x 8 px that walks, and a car of 24 x 24, in pixels of the sensor."""
    return [[(2 + 3 * i, 4, 8, 8, PEDESTRIAN), (30, 20, 24, 24, CAR)] for i in range(number)]


def leaf(root: Path, split: str, **more: object) -> dict:
    return dict(
        type='EventSequenceDataset',
        data_root=str(root),
        data_prefix=dict(recordings=split),
        metainfo=dict(classes=('car', 'pedestrian')),
        pipeline=[dict(type='LoadEventClip'), dict(type='PackClipInputs')],
        **{'downsample': 'sum', **more},
    )


def config(root: Path, **more: object) -> Config:
    """An experiment without a model; ``more`` goes to all of its data sets."""
    val = dict(dataset=leaf(root, 'val', test_mode=True, **more))
    train = dict(dataset=leaf(root, 'train', **more))
    return Config(dict(train_dataloader=train, val_dataloader=val, test_dataloader=val))
