"""Images of recordings, from an experiment and straight from a file."""

from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
from mmengine.config import Config

from abc_mmdet.apis.event_browser import browse_experiment, browse_recording
from abc_mmdet.datasets.events.conversion import ConversionSettings, Source, convert
from abc_mmdet.errors import UserError
from mmdet.registry import MODELS

WIDTH, HEIGHT = 128, 96
MODEL = dict(
    type='StreamingDetector',
    data_preprocessor=dict(type='EventDataPreprocessor'),
    backbone=dict(
        type='MaxViTRNN',
        arch=dict(embed_dim=8, dim_head=8),
        in_channels=20,
        partition_split=1,
        out_indices=(1, 2, 3),
    ),
    neck=dict(type='YOLOXPAFPN', in_channels=[16, 32, 64], out_channels=8, num_csp_blocks=1),
    bbox_head=dict(type='YOLOXHead', num_classes=8, in_channels=8, feat_channels=8),
    test_cfg=dict(score_thr=0.0, nms=dict(type='nms', iou_threshold=0.65, max_num=5)),
)


def write_events(path: Path, seconds: float = 0.5, size: tuple | None = (WIDTH, HEIGHT)) -> None:
    """A square of 20 pixels whose left edge turns brighter, 40 pixels a second to the right."""
    t = np.repeat(np.arange(0, round(seconds * 1e6), 5000), 20)
    with h5py.File(path, 'w') as file:
        group = file.create_group('events')
        group['t'], group['p'] = t, np.ones(len(t), np.uint8)
        group['x'] = (30 + t * 40 / 1e6).astype(np.uint16)
        group['y'] = (40 + np.arange(len(t)) % 20).astype(np.uint16)
        if size is not None:
            group['width'], group['height'] = size


@pytest.fixture(scope='module')
def config(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Config]:
    """Of an experiment with two converted recordings, ``a`` and ``b``, labelled at 10 Hz."""
    raw, root = tmp_path_factory.mktemp('raw'), tmp_path_factory.mktemp('converted')
    times = 100_000 + np.arange(12) * 100_000 // 3  # 30 Hz
    fields = [(name, '<f4') for name in 'xywh'] + [('t', '<i8'), ('class_id', '<u4')]
    boxes = np.zeros(len(times), fields)
    boxes['t'], boxes['x'], boxes['y'] = times, 30 + times * 40 / 1e6, 40
    boxes['w'] = boxes['h'] = 20
    for name in 'ab':
        write_events(raw / f'{name}_td.h5')
        np.save(raw / f'{name}_bbox.npy', boxes)
        source = Source(name, 'val', raw / f'{name}_td.h5', raw / f'{name}_bbox.npy')
        convert(source, root, ConversionSettings())

    def make(**changes: object) -> Config:
        dataset = dict(
            type='EventSequenceDataset',
            data_root=str(root),
            data_prefix=dict(recordings='val/'),
            downsample='sum',
            pipeline=[dict(type='LoadEventClip'), dict(type='RandomFlipClip', prob=1.0)],
        )
        loader = dict(dataset=dict(dataset, **changes))
        return Config(dict(val_dataloader=loader, model=MODEL))

    return make


def coloured(image: np.ndarray, channel: int) -> np.ndarray:
    """Where one of blue, green and red is much stronger than the others."""
    others = [c for c in range(3) if c != channel]
    return image[..., channel].astype(int) - image[..., others].max(axis=-1) > 60


def test_every_step_with_its_boxes(config: Callable[..., Config]) -> None:
    images = list(browse_experiment(config(), 'val_dataloader', recording='b', upscale=2))
    times = [int(name.removeprefix('b_').removesuffix('ms')) for name, _ in images]
    assert times == sorted(times) and len(times) >= 7
    labelled = []
    for time, (_, image) in zip(times, images, strict=True):
        assert image.shape == (HEIGHT + 18, WIDTH, 3), 'half resolution, doubled'
        red, green = coloured(image[:HEIGHT], 2), coloured(image[:HEIGHT], 1)
        columns = np.flatnonzero(red.any(axis=0))
        assert abs(columns.max() - (30 + time * 40 / 1e3)) <= 3, 'not mirrored as in training'
        if green.any():
            labelled.append(time)
            sides = np.flatnonzero(green[40:60].sum(axis=0) >= 18)
            assert abs(sides.min() - columns.max()) <= 3, 'it begins where the events end'
            assert abs(sides.max() - sides.min() - 20) <= 2
    assert labelled == [100, 200, 300, 400]
    only = browse_experiment(config(), 'val_dataloader', recording='b', every_step=False)
    assert [name for name, _ in only] == [f'b_{time:07d}ms' for time in labelled]
    text_ends = {
        time: np.flatnonzero((image[HEIGHT:] < 200).any(axis=(0, 2))).max()
        for time, (_, image) in zip(times, images, strict=True)
    }
    longest = max(text_ends[time] for time in labelled)
    assert all((text_ends[time] > longest + 20) == (time not in labelled) for time in times)
    texts = {bytes(image[HEIGHT:]) for _, image in images}
    assert len(texts) == len(images), 'each with its time'


def test_the_first_recording_by_default(config: Callable[..., Config]) -> None:
    name, _ = next(browse_experiment(config(), 'val_dataloader'))
    assert name.startswith('a_')


@pytest.fixture
def checkpoint(tmp_path: Path) -> str:
    torch.save(dict(state_dict=MODELS.build(MODEL).state_dict()), tmp_path / 'model.pth')
    return str(tmp_path / 'model.pth')


def test_detections_above_the_threshold(config: Callable[..., Config], checkpoint: str) -> None:
    def images(**options: object) -> np.ndarray:
        of_all = browse_experiment(config(), 'val_dataloader', upscale=2, **options)
        return np.stack([image for _, image in of_all])

    plain = images()
    found = images(checkpoint=checkpoint, score_thr=0.0)
    assert (plain != found).any(axis=(1, 2, 3)).all(), 'at every step, labelled or not'
    assert np.array_equal(plain, images(checkpoint=checkpoint, score_thr=1.0))


@pytest.mark.parametrize(
    ('changes', 'loader', 'recording', 'words'),
    [
        ({}, 'val_dataloader', 'c', '--recording c: there are a, b'),
        ({}, 'test_dataloader', None, 'no test_dataloader'),
        (dict(type='CocoDataset'), 'val_dataloader', None, 'CocoDataset.*for images'),
        (dict(catalogue='kitti'), 'val_dataloader', None, 'kitti'),
        (dict(clip_lenght=3), 'val_dataloader', None, 'clip_lenght'),
        (dict(downsample='none'), 'val_dataloader', None, 'downsample'),
    ],
)
def test_mistakes_are_named(
    config: Callable[..., Config], changes: dict, loader: str, recording: str | None, words: str
) -> None:
    with pytest.raises(UserError, match=words):
        next(browse_experiment(config(**changes), loader, recording))


def test_a_recording_as_it_came(tmp_path: Path) -> None:
    write_events(tmp_path / 'street_td.h5')
    images = list(browse_recording(tmp_path / 'street_td.h5', None, window_ms=100, upscale=2))
    assert [name for name, _ in images] == [f'street_td_0000{i}00ms' for i in (1, 2, 3, 4)]
    for i, (_, image) in enumerate(images):
        assert image.shape == (2 * HEIGHT + 18, 2 * WIDTH, 3)
        red = coloured(image[: 2 * HEIGHT], 2)
        columns, rows = np.flatnonzero(red.any(axis=0)), np.flatnonzero(red.any(axis=1))
        begin = 2 * (30 + 4 * i)
        assert (rows.min(), rows.max()) == (80, 119)
        assert columns.min() == begin and columns.max() in range(begin + 7, begin + 10)


def test_a_recording_that_does_not_tell_its_size(tmp_path: Path) -> None:
    write_events(tmp_path / 'street_td.h5', size=None)
    with pytest.raises(UserError, match='--size'):
        next(browse_recording(tmp_path / 'street_td.h5', None, window_ms=50))
    _, image = next(browse_recording(tmp_path / 'street_td.h5', (200, 100), window_ms=50))
    assert image.shape == (118, 200, 3)
