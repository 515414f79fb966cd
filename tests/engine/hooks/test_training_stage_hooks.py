"""Stages of a training: without mosaic at its end, task weights as scheduled."""

import math
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from mmcv.transforms import BaseTransform
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.logging import MessageHub
from mmengine.runner import Runner
from torch import nn

from abc_mmdet.apis import load_experiment
from abc_mmdet.engine import MultiTaskWeightHook
from abc_mmdet.errors import UserError
from abc_mmdet.models.losses import ABCMultiTaskLoss
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


FADE_IN_AND_OUT = [
    dict(begin=0, aux_weight=0.0),
    dict(begin=0, end=100, aux_weight=0.25),
    dict(begin=800, end=1000, aux_weight=0.05, curve='cosine'),
]


def run_through(hook: MultiTaskWeightHook, iterations: list[int], **weights: float) -> list:
    """Weights that the hook gives one run in these iterations."""
    loss = ABCMultiTaskLoss(**weights)
    model = nn.ModuleDict(dict(bbox_head=nn.ModuleDict(dict(multi_task_loss=loss))))
    runner = SimpleNamespace(model=model, message_hub=MessageHub('weights'))
    given_weights = []
    for runner.iter in iterations:
        hook.before_train_iter(runner, runner.iter)
        given_weights.append((loss.main_weight, loss.aux_weight))
        for name, buffer in runner.message_hub.log_scalars.items():
            assert buffer.current() == getattr(loss, name.removeprefix('train/'))
    logged = {
        name for name in ('main_weight', 'aux_weight') if any(name in e for e in hook.schedule)
    }
    assert set(runner.message_hub.log_scalars) == {f'train/{name}' for name in logged}
    return given_weights


def weights_at(schedule: list[dict], iteration: int) -> tuple[float, float]:
    """Weights of a run resumed at this iteration."""
    return run_through(MultiTaskWeightHook(schedule), [iteration])[0]


def test_weights_change_at_given_iterations() -> None:
    schedule = [dict(begin=20, aux_weight=0.0), dict(begin=10, aux_weight=0.25, main_weight=0.5)]
    assert [weights_at(schedule, i) for i in (0, 9, 10, 19, 20, 1000)] == [
        (1.0, 2.0),
        (1.0, 2.0),
        (0.5, 0.25),
        (0.5, 0.25),
        (0.5, 0.0),
        (0.5, 0.0),
    ]


def test_weights_fade_in_and_out() -> None:
    expected = {
        0: 0.0,
        50: 0.125,
        100: 0.25,
        799: 0.25,
        850: 0.05 + 0.2 * (1 + math.cos(math.pi / 4)) / 2,
        900: 0.15,
        1000: 0.05,
        10**6: 0.05,
    }
    for iteration, weight in expected.items():
        assert weights_at(FADE_IN_AND_OUT, iteration) == (1.0, pytest.approx(weight))
    assert weights_at(FADE_IN_AND_OUT, 1000)[1] == 0.05, 'the end is reached exactly'


def test_a_decay_starts_from_the_weight_of_the_config() -> None:
    schedule = [dict(begin=10, end=20, aux_weight=0.0)]
    weights = run_through(MultiTaskWeightHook(schedule), [0, 10, 15, 20], aux_weight=0.5)
    assert [aux for _, aux in weights] == [0.5, 0.5, 0.25, 0.0]


def test_an_entry_interrupts_the_one_before() -> None:
    schedule = [
        dict(begin=0, end=100, aux_weight=0.0),  # from 2.0, at 1.0 when it is interrupted
        dict(begin=50, end=60, aux_weight=3.0),
    ]
    assert [weights_at(schedule, i)[1] for i in (50, 55, 60, 99)] == [1.0, 2.0, 3.0, 3.0]


ENTRIES = st.builds(
    lambda begin, length, weight, name, curve: {
        'begin': begin,
        name: weight,
        **({'end': begin + length, 'curve': curve} if length else {}),
    },
    st.integers(0, 30),
    st.integers(0, 20),
    st.floats(0, 3),
    st.sampled_from(['main_weight', 'aux_weight']),
    st.sampled_from(['linear', 'cosine']),
)


@given(st.lists(ENTRIES, min_size=1, max_size=4), st.integers(0, 50))
def test_a_resumed_run_has_the_weights_of_the_undisturbed_one(schedule, resumed_at) -> None:
    undisturbed = run_through(MultiTaskWeightHook(schedule), list(range(60)))
    resumed = run_through(MultiTaskWeightHook(schedule), list(range(resumed_at, 60)))
    assert resumed == undisturbed[resumed_at:]
    assert all(0 <= weight <= 3 for weights in undisturbed for weight in weights)


@pytest.mark.parametrize(
    ('entry', 'message'),
    [
        (dict(aux_weight=0.0), 'give begin'),
        (dict(begin=5), 'give begin, one or both of'),
        (dict(begin=5, auxweight=0.0), 'give begin, one or both of'),
        (dict(begin=-1, aux_weight=0.0), 'begin is the number of an iteration'),
        (dict(begin='half', aux_weight=0.0), 'begin is the number of an iteration'),
        (dict(begin=5, end=5, aux_weight=0.0), 'end is the number of an iteration after begin'),
        (dict(begin=5, end=9, aux_weight=0.0, curve='step'), "curve is one of ('linear'"),
        (dict(begin=5, aux_weight=0.0, curve='linear'), 'needs an end'),
        (dict(begin=5, aux_weight=-0.25), 'a weight is a number, 0 or more'),
        (dict(begin=5, aux_weight=math.nan), 'a weight is a number, 0 or more'),
    ],
)
def test_wrong_entries_are_refused(entry: dict, message: str) -> None:
    with pytest.raises(UserError) as error:
        MultiTaskWeightHook([entry])
    assert f'schedule entry {entry} is wrong: ' in str(error.value)
    assert message in str(error.value)


def test_model_without_auxiliary_task_is_refused() -> None:
    runner = SimpleNamespace(model=nn.Linear(1, 1), iter=0)
    with pytest.raises(UserError, match='needs a model whose bbox_head is an ABCHead'):
        MultiTaskWeightHook([dict(begin=0, aux_weight=1.0)]).before_train_iter(runner, 0)


def test_detectors_inside_another_are_found() -> None:
    """A semi-supervised detector has no ``bbox_head`` of its own, but a student and a teacher."""
    inside = nn.ModuleDict(dict(student=ABCMultiTaskLoss(), teacher=ABCMultiTaskLoss()))
    runner = SimpleNamespace(model=inside, message_hub=MessageHub('inside'), iter=0)
    MultiTaskWeightHook([dict(begin=0, aux_weight=0.5)]).before_train_iter(runner, 0)
    assert inside['student'].aux_weight == inside['teacher'].aux_weight == 0.5
    runner.model = nn.Linear(1, 1)
    with pytest.raises(UserError, match='needs a model whose bbox_head is an ABCHead'):
        MultiTaskWeightHook([dict(begin=0, aux_weight=0.5)]).before_train_iter(runner, 0)
