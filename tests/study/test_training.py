"""Training and evaluation of one run, in this process."""

import copy
import os
import signal
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.runner import load_checkpoint

from abc_mmdet.apis import load_experiment
from abc_mmdet.engine import newest_checkpoint
from abc_mmdet.engine.training_log import curves, logged_scalars, training_cost
from abc_mmdet.errors import UserError
from abc_mmdet.evaluation.bootstrap import HEADLINE
from abc_mmdet.study.evaluate import evaluate, inference_cost
from abc_mmdet.study.training import Paused, train
from abc_mmdet.study.variants import Ablation
from mmdet.registry import HOOKS, MODELS, VISUALIZERS


@HOOKS.register_module()
class PauseAtHook(Hook):
    """Stands for the queue: asks for a pause in the middle of an iteration."""

    def __init__(self, iteration: int) -> None:
        self.iteration = iteration

    def before_train_iter(self, runner, batch_idx, data_batch=None) -> None:
        if runner.iter + 1 == self.iteration:
            os.kill(os.getpid(), signal.SIGTERM)


@pytest.fixture(scope='module')
def trained(tiny_ablation: Path, tmp_path_factory) -> tuple[Path, Path, list[str]]:
    """A run that was paused and finished: its folder, weights, and files while it was paused."""
    config = Ablation(tiny_ablation).config('abc')
    VISUALIZERS.build(
        copy.deepcopy(config.visualizer)
    )  # that logs nowhere, and is not that of the run
    config.default_hooks.checkpoint.interval = 4
    folder = tmp_path_factory.mktemp('run')
    former = signal.getsignal(signal.SIGTERM)
    pausing = config.copy()
    pausing.custom_hooks = [dict(type='PauseAtHook', iteration=3)]
    with pytest.raises(Paused, match='after iteration 3'):
        train(pausing, seed=1, folder=folder)
    signal.signal(signal.SIGTERM, former)
    paused = sorted(path.name for path in folder.glob('*.pth'))
    # Two checkpoints that were cut off while they were written
    (folder / 'iter_4.pth').write_bytes((folder / 'iter_3.pth').read_bytes()[:-1000])
    (folder / 'iter_5.pth').touch()
    return folder, train(config, seed=1, folder=folder), paused


@pytest.mark.slow
def test_pauses_and_goes_on(trained: tuple[Path, Path, list[str]]) -> None:
    folder, weights, paused = trained
    assert paused == ['iter_3.pth']
    scalars = logged_scalars(folder)
    assert list(scalars) == [1, 2, 3, 4, 5, 6]
    sessions = list(folder.glob('*/vis_data/scalars.json'))
    lines = [line for path in sessions for line in path.read_text().splitlines()]
    assert len(lines) == 6, 'no iteration was done twice'
    assert curves(scalars)['iteration'] == [1, 2, 3, 4, 5, 6]
    cost = training_cost(scalars)
    assert 0 < cost['train_cpu_seconds'] < 60
    assert cost['peak_memory_mb'] > 100
    assert sorted(path.name for path in folder.glob('*.pth')) == [weights.name]
    assert newest_checkpoint(folder) == (None, [])
    assert train(load_experiment('configs/small/abc_synthetic.py'), 1, folder) == weights, 'at once'


def test_evaluated_as_the_metric_does(
    trained: tuple[Path, Path, list[str]], tiny_configs: dict[str, Config]
) -> None:
    _, weights, _ = trained
    config = tiny_configs['abc']
    model = MODELS.build(config.model)
    load_checkpoint(model, str(weights), map_location='cpu')
    evaluated = evaluate(model, config)
    assert evaluated['judged_on']['images'] == 3
    assert set(HEADLINE) <= set(evaluated['figures']) and set(evaluated['train_figures']) == set(
        HEADLINE
    )
    assert 'pedestrian_precision' in evaluated['figures']
    assert all(len(values) == 1000 for values in evaluated['resampled'].values())
    config.val_evaluator.type = 'CocoMetric'
    with pytest.raises(UserError, match='SmallObjectMetric'):
        evaluate(model, config)


def test_evaluation_of_perfect_detections(tiny_configs: dict[str, Config]) -> None:
    """A detector that knows the truth has AP 1 on both sets: the truth of both is the right one."""
    config = tiny_configs['abc']

    class Oracle(torch.nn.Module):
        def test_step(self, batch: dict) -> list:
            for sample in batch['data_samples']:
                truth = sample.gt_instances
                found = truth.new()
                found.bboxes = truth.bboxes.tensor  # the pipeline resizes images alone
                found.labels, found.scores = truth.labels, torch.ones(len(truth))
                sample.pred_instances = found
            return batch['data_samples']

    evaluated = evaluate(Oracle(), config)
    assert evaluated['figures']['bbox_mAP'] == pytest.approx(1, abs=0.01)
    assert evaluated['train_figures']['bbox_mAP'] == pytest.approx(1, abs=0.01)
    assert np.nanmin(evaluated['resampled']['bbox_mAP']) > 0.98


@pytest.mark.slow
def test_inference_cost_of_the_auxiliary_task_is_none(tiny_configs: dict[str, Config]) -> None:
    ours, baseline = tiny_configs['abc'], tiny_configs['baseline']
    costs = [inference_cost(config, baseline, 'cpu') for config in (ours, baseline)]
    assert costs[0]['gflops'] == costs[1]['gflops'] > 0
    assert costs[0]['parameters_m'] == costs[1]['parameters_m'] > 0
    assert costs[0]['latency_ms'] > 0 and costs[0]['latency_ratio'] > 0
