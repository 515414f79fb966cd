"""What is found in an image does not depend on the batch that it is in."""

import itertools
import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.runner import Runner, load_checkpoint
from torch.utils.data import SequentialSampler

from abc_mmdet.apis import prepare_run
from abc_mmdet.datasets.samplers import SameSizeBatchSampler
from abc_mmdet.evaluation import SmallObjectMetric
from abc_mmdet.inference import Detector
from mmdet.registry import MODELS

SIZES = [(96, 64), (64, 96), (96, 64), (60, 40), (96, 64), (64, 96)]


class Images:
    """A data set of images with these sizes; None: not known."""

    def __init__(self, sizes: list) -> None:
        self.sizes = sizes

    def __len__(self) -> int:
        return len(self.sizes)

    def get_data_info(self, index: int) -> dict:
        size = self.sizes[index]
        return {} if size is None else dict(width=size[0], height=size[1])


def test_every_image_comes_once_with_others_of_its_size() -> None:
    sizes = [*SIZES, None, None]
    sampler = SameSizeBatchSampler(SequentialSampler(range(8)), 2)
    sampler.sampler.dataset = Images(sizes)
    for _ in range(2):
        batches = list(sampler)
        assert sorted(itertools.chain(*batches)) == list(range(8))
        assert all(len({sizes[i] for i in batch}) == 1 for batch in batches)
        assert [0, 2] in batches and [1, 5] in batches and [6] in batches and [7] in batches
        assert len(sampler) == len(batches) == 6


@pytest.fixture
def mixed(tmp_path: Path, random_weights) -> Config:
    images = []
    rng = np.random.default_rng(0)
    for i, (width, height) in enumerate(SIZES):
        images.append(dict(id=i, file_name=f'{i}.png', width=width, height=height))
        cv2.imwrite(str(tmp_path / f'{i}.png'), rng.integers(0, 255, (height, width, 3), np.uint8))
    config = Config.fromfile('configs/small/abc_synthetic.py')
    names = config.classes
    entries = dict(
        images=images,
        annotations=[
            dict(id=i, image_id=i, category_id=1, bbox=[5, 5, 20, 20], area=400, iscrowd=0)
            for i in range(len(images))
        ],
        categories=[dict(id=i, name=name) for i, name in enumerate(names)],
    )
    (tmp_path / 'val.json').write_text(json.dumps(entries))
    config.merge_from_dict(
        {
            'model.backbone.widen_factor': 0.125,
            'model.neck.in_channels': [16, 32, 64, 128],
            'model.test_cfg.score_thr': 0.01,
        }
    )
    loader = dict(num_workers=0, persistent_workers=False)
    dataset = dict(data_root=str(tmp_path), ann_file='val.json', data_prefix=dict(img=''))
    for part in ('val', 'test'):
        config[f'{part}_dataloader'].update(loader)
        config[f'{part}_dataloader'].dataset.update(dataset)
    return random_weights(config, tmp_path / 'weights.pth')


@torch.no_grad()
def found(config: Config, weights: Path, batch_size: int) -> dict[int, np.ndarray]:
    config = config.copy()
    config.test_dataloader['batch_size'] = batch_size
    prepare_run(config)
    loader = Runner.build_dataloader(config.test_dataloader)
    model = MODELS.build(config.model).eval()
    load_checkpoint(model, str(weights), map_location='cpu')
    metric = SmallObjectMetric(ann_file=str(weights.parent / 'val.json'))
    for batch in loader:
        metric.process(batch, [sample.to_dict() for sample in model.test_step(batch)])
    return {
        each['img_id']: np.column_stack([each['bboxes'], each['scores']])
        for _, each in metric.results
    }


@pytest.mark.slow
def test_detections_of_a_batch_are_those_of_single_images(mixed: Config, tmp_path: Path) -> None:
    weights = tmp_path / 'weights.pth'
    single, together = (found(mixed, weights, batch_size) for batch_size in (1, 4))
    detector = Detector(mixed, str(weights))
    for image, (width, height) in enumerate(SIZES):
        boxes = single[image][:, :4]
        assert len(boxes) > 5
        assert (boxes >= 0).all() and (boxes <= [width, height, width, height]).all()
        assert (boxes[:, 2:] > boxes[:, :2]).all()
        np.testing.assert_allclose(together[image], single[image], atol=1e-3)
        predicted = detector(str(tmp_path / f'{image}.png'))
        np.testing.assert_allclose(
            np.sort(predicted.scores), np.sort(single[image][:, 4]), atol=1e-4
        )
        np.testing.assert_allclose(
            np.sort(predicted.boxes, axis=0), np.sort(boxes, axis=0), atol=1e-2
        )
