"""Images of a test lie in the folders that their images lie in; those of events are the events."""

import json
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import torch
from mmengine.structures import InstanceData

from abc_mmdet.apis import load_experiment
from abc_mmdet.apis.standard_config import prepare_run
from abc_mmdet.engine import EventVisualizationHook
from abc_mmdet.engine.hooks.visualization_hooks import (
    ImageVisualizationHook,
    image_root,
    in_sensor_pixels,
    sensor_image,
)
from mmdet.registry import DATASETS, HOOKS, VISUALIZERS
from mmdet.structures import DetDataSample, TrackDataSample

ROOT = Path(__file__).parents[3]


NAMES = ('day/1/0001.png', 'day/2/0001.png', 'night/0001.png', 'night/0002.png')


@pytest.fixture
def data(tmp_path: Path) -> Path:
    images = []
    for number, name in enumerate(NAMES):
        path = tmp_path / 'images' / name
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), np.full((40, 60, 3), 60 * number, np.uint8))
        images.append(dict(id=number, file_name=name, width=60, height=40))
    content = dict(images=images, annotations=[], categories=[dict(id=1, name='car')])
    (tmp_path / 'all.json').write_text(json.dumps(content))
    return tmp_path


def dataset(data: Path, prefix: str = 'images', **options) -> dict:
    return dict(
        type='CocoDataset',
        data_root=str(data),
        ann_file=str(data / 'all.json'),
        data_prefix=dict(img=prefix),
        metainfo=dict(classes=('car',)),
        test_mode=True,
        pipeline=[],
        **options,
    )


class Testing:
    """What the hook asks of a runner."""

    def __init__(self, folder: Path, data: dict) -> None:
        self.work_dir, self.timestamp = str(folder), 'now'
        self.test_dataloader = torch.utils.data.DataLoader(DATASETS.build(data))


def test_folders_are_kept(data: Path) -> None:
    config = load_experiment(str(ROOT / 'configs/small/abc_synthetic.py'))
    prepare_run(config)
    config.default_hooks.visualization.update(draw=True, test_out_dir='images')
    runner = Testing(data / 'work', dataset(data))
    visualizer = VISUALIZERS.build(dict(config.visualizer, name=str(data)))
    visualizer.dataset_meta = dict(classes=('car',), palette=[(0, 0, 0)])
    hook = HOOKS.build(config.default_hooks.visualization)  # takes the newest visualizer
    hook.before_test(runner)
    for number, name in enumerate(NAMES):
        sample = DetDataSample(metainfo=dict(img_path=str(data / 'images' / name)))
        hook.after_test_iter(runner, number, {}, [sample])
    folder = data / 'work/now/images'
    written = {p.relative_to(folder).as_posix() for p in folder.rglob('*.*')}
    assert written == set(NAMES)
    for number, name in enumerate(NAMES):
        image = cv2.imread(str(folder / name))
        assert abs(int(image.mean()) - 60 * number) < 2, 'each is that of its image'


def test_the_folder_of_the_images(data: Path) -> None:
    """Known without a look at the images, of which there may be very many."""

    def of(*options: dict) -> str | None:
        return image_root([DATASETS.build(dict(each, lazy_init=True)) for each in options])

    assert of(dataset(data)) == str(data / 'images')
    assert of(dataset(data), dataset(data, 'more/images')) == str(data)
    assert of(dataset(data), dataset(data)) == str(data / 'images')
    assert image_root([]) is None and image_root([object()]) is None


def test_images_from_elsewhere_are_not_written_over_each_other(data: Path) -> None:
    """Names in the annotation file may be whole paths, wherever data_prefix is."""
    hook = ImageVisualizationHook(draw=False)
    hook._root = str(data / 'images')
    assert hook._below_root(str(data / 'images/0001.png')) == ''
    assert hook._below_root(str(data / 'images/day/1/0001.png')) == 'day/1'
    outside = {hook._below_root(f'/elsewhere/{night}/0001.png') for night in 'ab'}
    assert outside == {'elsewhere/a', 'elsewhere/b'}
    assert hook._below_root(str(data / 'images_2/0001.png')).endswith('images_2')


SENSOR = (80, 120)  # height, width; representations have half of it


TRUTH, FOUND = (10, 20, 50, 60), (60, 10, 110, 70)


@pytest.fixture
def visualizer(tmp_path: Path):
    made = VISUALIZERS.build(
        dict(
            type='DetLocalVisualizer',
            name=str(tmp_path),  # instances are found by name, and the newest is the current one
            vis_backends=[dict(type='LocalVisBackend')],
            save_dir=str(tmp_path),
        )
    )
    made.dataset_meta = dict(classes=('car', 'bus'), palette=[(250, 0, 0), (0, 0, 250)])
    return made


def sample_of(step: int, name: str) -> DetDataSample:
    sample = DetDataSample(
        metainfo=dict(
            img_id=step, img_path=f'{name}.png', step=step, ori_shape=SENSOR,
            scale_factor=(0.5, 0.5),
        )
    )  # fmt: skip
    boxes = torch.tensor([TRUTH], dtype=torch.float32) / 2
    sample.gt_instances = InstanceData(bboxes=boxes, labels=torch.tensor([0]))
    sample.pred_instances = InstanceData(
        bboxes=torch.tensor([FOUND], dtype=torch.float32),
        scores=torch.tensor([0.9]),
        labels=torch.tensor([1]),
    )
    return sample


def batch_of(*samples: DetDataSample) -> dict:
    """One clip with those samples, and one without labels."""
    events = torch.zeros(4, 2, 40, 60, dtype=torch.uint8)
    for step in range(4):
        events[step, :, step, :] = 9  # rows of events that tell the steps apart
    clips = [TrackDataSample(), TrackDataSample()]
    if samples:
        clips[1].video_data_samples = list(samples)
    return dict(inputs=[events[:2] * 0, events], data_samples=clips)


def runner_in(folder: Path, iteration: int = 0) -> SimpleNamespace:
    return SimpleNamespace(work_dir=str(folder), timestamp='now', iter=iteration)


def saved(folder: Path) -> dict[str, np.ndarray]:
    return {path.stem: cv2.imread(str(path)) for path in sorted(folder.rglob('*.png'))}


def is_drawn(image: np.ndarray, box: tuple[int, int, int, int], colour: int) -> bool:
    """Whether the outline is there; ``colour`` is the strongest of its channels, BGR."""
    x1, y1, x2, y2 = box
    others = [c for c in (0, 1, 2) if c != colour]
    strong = (image[..., colour].astype(int) - image[..., others].max(-1)) > 60
    around = cv2.dilate(strong.astype(np.uint8), np.ones((3, 3))) > 0
    return bool(
        around[y1, x1:x2].all() and around[y2 - 1, x1:x2].all()
        and around[y1:y2, x1].all() and around[y1:y2, x2 - 1].all()
    )  # fmt: skip


def test_one_image_per_labelled_step_in_the_folder(tmp_path: Path, visualizer) -> None:
    hook = EventVisualizationHook(draw=True, test_out_dir='images')
    samples = [sample_of(1, 'street_1'), sample_of(3, 'street_3')]
    for batch in range(2):
        hook.after_test_iter(runner_in(tmp_path), batch, batch_of(*samples), samples)
    images = saved(tmp_path / 'now/images')
    assert sorted(images) == ['street_1', 'street_3']
    for step, image in zip((1, 3), images.values(), strict=True):
        assert image.shape == (80, 240, 3), 'ground truth beside detections'
        truth, found = image[:, :120], image[:, 120:]
        assert is_drawn(truth, TRUTH, colour=2) and not is_drawn(truth, FOUND, colour=0)
        assert is_drawn(found, FOUND, colour=0) and not is_drawn(found, TRUTH, colour=2)
        rows = np.flatnonzero((image[:, :5] < 250).all((1, 2)))
        # A row higher with Matplotlib 3.6
        assert rows.tolist() in ([2 * step - 1, 2 * step], [2 * step, 2 * step + 1]), 'its events'


def test_without_a_folder_no_image_replaces_another(tmp_path: Path, visualizer) -> None:
    hook = EventVisualizationHook(draw=True)
    samples = [sample_of(1, 'a'), sample_of(3, 'b')]
    for batch in range(3):
        hook.after_test_iter(runner_in(tmp_path), batch, batch_of(*samples), samples)
    assert len(saved(tmp_path)) == 6


def test_detections_below_the_threshold_are_left_out(tmp_path: Path, visualizer) -> None:
    hook = EventVisualizationHook(draw=True, test_out_dir='images', score_thr=0.95)
    samples = [sample_of(1, 'a')]
    hook.after_test_iter(runner_in(tmp_path), 0, batch_of(*samples), samples)
    image = saved(tmp_path)['a']
    assert not is_drawn(image[:, 120:], FOUND, colour=0)


def test_validation_draws_the_first_sample_now_and_then(tmp_path: Path, visualizer) -> None:
    hook = EventVisualizationHook(draw=True, interval=2)
    samples = [sample_of(1, 'a'), sample_of(3, 'b')]
    for batch in range(5):
        hook.after_val_iter(runner_in(tmp_path, 100), batch, batch_of(*samples), samples)
    hook.after_val_iter(runner_in(tmp_path, 100), 6, batch_of(), [])  # no label in the batch
    assert sorted(saved(tmp_path)) == [f'val_events_{step}' for step in (100, 102, 104)]


def test_nothing_is_drawn_by_default(tmp_path: Path, visualizer) -> None:
    hook = EventVisualizationHook()
    samples = [sample_of(1, 'a')]
    hook.after_val_iter(runner_in(tmp_path), 0, batch_of(*samples), samples)
    hook.after_test_iter(runner_in(tmp_path), 0, batch_of(*samples), samples)
    assert saved(tmp_path) == {}


def test_everything_is_in_pixels_of_the_sensor() -> None:
    sample = sample_of(0, 'a')
    copy = in_sensor_pixels(sample)
    assert copy.gt_instances.bboxes.tolist() == [list(TRUTH)]
    assert copy.pred_instances.bboxes.tolist() == [list(FOUND)]
    assert sample.gt_instances.bboxes.tolist() == [[v / 2 for v in TRUTH]], 'a copy'
    events = np.zeros((2, 40, 60), np.uint8)
    events[1, 3, 4] = 9
    image = sensor_image(events, SENSOR).astype(int)
    assert image.shape == (80, 120, 3)
    assert (image[6:8, 8:10, 0] > image[6:8, 8:10, 2] + 100).all(), 'RGB: brighter is red'
    assert (image < 255).any(axis=-1).sum() == 4
