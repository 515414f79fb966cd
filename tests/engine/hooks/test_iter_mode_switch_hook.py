"""The last part of a training without mosaic and with the L1 loss, seen from the samples."""

from pathlib import Path

import numpy as np
import pytest
import torch
from mmcv.transforms import BaseTransform
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.runner import Runner

from abc_mmdet.apis import load_experiment
from abc_mmdet.errors import UserError
from mmdet.registry import HOOKS, TRANSFORMS

from ..tiny_runs import IMAGES, write_config, write_images


@TRANSFORMS.register_module()
class MarkMosaic(BaseTransform):
    """Writes into a sample that it was transformed."""

    def transform(self, results: dict) -> dict:
        results['flip_direction'] = 'a mosaic'
        return results


@HOOKS.register_module()
class SeenSamples(Hook):
    seen: list[tuple[int, bool, bool]]

    def before_train(self, runner: Runner) -> None:
        type(self).seen = []

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None) -> None:
        marks = {s.metainfo['flip_direction'] == 'a mosaic' for s in data_batch['data_samples']}
        assert len(marks) == 1
        self.seen.append((runner.iter, marks.pop(), runner.model.bbox_head.main_head.use_l1))


@pytest.fixture(scope='module')
def data(tmp_path_factory) -> Path:
    return write_images(tmp_path_factory.mktemp('data') / 'data')


def experiment(data: Path, folder: Path, iterations: int = 4, workers: int = 0) -> Config:
    path = write_config(folder / 'mine.py', IMAGES, data, iterations, 2, 100, workers)
    config = load_experiment(str(path), work_dir=str(folder / 'run'))
    pipeline = config.train_dataloader.dataset.pipeline
    config.train_dataloader.dataset.pipeline = [
        *pipeline[:-1],
        dict(type='RandomFlip', prob=0.0),
        dict(type='MarkMosaic'),
        dict(
            type='PackDetInputs',
            meta_keys=('img_id', 'ori_shape', 'img_shape', 'scale_factor', 'flip_direction'),
        ),
    ]
    config.custom_hooks = [
        dict(type='IterModeSwitchHook', num_last_iters=2, skip_type_keys=('Mosaic', 'MarkMosaic')),
        dict(type='SeenSamples'),
    ]
    config.default_hooks.exact_resume = dict(type='ExactResumeHook')
    config.val_dataloader = config.val_cfg = config.val_evaluator = None
    config.default_hooks.checkpoint = dict(type='CheckpointHook', by_epoch=False, interval=3)
    return config


EXPECTED = [(0, True, False), (1, True, False), (2, False, True), (3, False, True)]


@pytest.mark.parametrize('workers', [0, 2])
def test_the_last_iterations(data: Path, tmp_path: Path, workers: int) -> None:
    """Also with loader processes, which prepare batches long before their turn."""
    Runner.from_cfg(experiment(data, tmp_path, workers=workers)).train()
    assert SeenSamples.seen == EXPECTED


def test_a_resumed_run(data: Path, tmp_path: Path) -> None:
    config = experiment(data, tmp_path)
    Runner.from_cfg(config).train()
    whole = torch.load(tmp_path / 'run/iter_4.pth', weights_only=False)['state_dict']
    config.resume, config.load_from = True, str(tmp_path / 'run/iter_3.pth')
    Runner.from_cfg(config).train()
    assert SeenSamples.seen == EXPECTED[3:]
    again = torch.load(tmp_path / 'run/iter_4.pth', weights_only=False)['state_dict']
    assert all(np.array_equal(whole[name], again[name]) for name in whole)


def test_what_it_needs(data: Path, tmp_path: Path) -> None:
    config = experiment(data, tmp_path)
    config.default_hooks.pop('exact_resume')
    with pytest.raises(UserError, match=r'needs default_hooks.exact_resume'):
        Runner.from_cfg(config).train()
    config = experiment(data, tmp_path)
    config.train_dataloader.dataset = config.train_dataloader.dataset.dataset
    with pytest.raises(UserError, match=r'MultiImageMixDataset, but .* is a CocoDataset'):
        Runner.from_cfg(config).train()
    config = experiment(data, tmp_path)
    config.train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=1)
    with pytest.raises(UserError, match='takes YOLOXModeSwitchHook'):
        Runner.from_cfg(config).train()
