"""An interrupted and resumed run against one that was not: everything equal to the last bit."""

from collections.abc import Callable
from pathlib import Path

import pytest
from mmengine.hooks import Hook
from mmengine.runner import Runner

from abc_mmdet.apis import load_experiment
from abc_mmdet.engine import choose_checkpoint
from mmdet.registry import HOOKS

from ..tiny_runs import (
    EVENTS,
    IMAGES,
    assert_same,
    outcome,
    write_config,
    write_events,
    write_images,
)


class Interrupted(Exception):
    pass


@HOOKS.register_module()
class InterruptHook(Hook):
    def __init__(self, iteration: int) -> None:
        self.iteration = iteration

    def before_train_iter(self, runner: Runner, *args: object, **kwargs: object) -> None:
        if runner.iter == self.iteration:
            raise Interrupted


def train(config_file: Path, work_dir: Path, interrupt_at: int | None = None) -> Runner:
    """Begin or go on with a run, in this process."""
    config = load_experiment(str(config_file), work_dir=str(work_dir))
    # MMEngine keeps what has a name for all runs of a process
    config.experiment_name = config.visualizer.name = f'{work_dir}_{interrupt_at}'
    # Takes longer than the training
    object.__setattr__(config, '_format_python_code', False)
    config.resume = True
    choose_checkpoint(config)
    if interrupt_at is not None:
        config.custom_hooks.append(dict(type='InterruptHook', iteration=interrupt_at))
    runner = Runner.from_cfg(config)
    runner.train()
    return runner


@pytest.mark.parametrize(
    ('text', 'write_data'),
    [
        pytest.param(IMAGES, write_images, id='image'),
        pytest.param(EVENTS, write_events, id='event', marks=pytest.mark.slow),
    ],
)
def test_resumed_as_if_nothing_had_happened(
    text: str, write_data: Callable[[Path], Path], tmp_path: Path
) -> None:
    data = write_data(tmp_path / 'data')
    config = write_config(tmp_path / 'config.py', text, data, iterations=5, every=3)
    train(config, tmp_path / 'undisturbed')
    with pytest.raises(Interrupted):
        train(config, tmp_path / 'interrupted', interrupt_at=4)
    train(config, tmp_path / 'interrupted')
    ours, theirs = (outcome(tmp_path / name, 5) for name in ('interrupted', 'undisturbed'))
    assert list(ours['logged']) == list(range(1, 6))
    assert_same(ours, theirs)
