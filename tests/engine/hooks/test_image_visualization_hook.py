"""Images of a test lie in the folders that their images lie in."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from abc_mmdet.apis import load_experiment
from abc_mmdet.apis.standard_config import use_own_drawing
from abc_mmdet.engine.hooks.image_visualization_hook import common_folder
from mmdet.registry import DATASETS, HOOKS, VISUALIZERS
from mmdet.structures import DetDataSample

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
    use_own_drawing(config)
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


def test_the_folder_in_common(data: Path) -> None:
    def of(*options: dict) -> str | None:
        return common_folder([DATASETS.build(each) for each in options])

    assert of(dataset(data)) == str(data / 'images')
    assert of(dataset(data, indices=[0, 1])) == str(data / 'images/day')
    assert of(dataset(data, indices=[2])) == str(data / 'images/night')
    assert of(dataset(data), dataset(data, 'more/images')) == str(data)
    assert common_folder([]) is None
