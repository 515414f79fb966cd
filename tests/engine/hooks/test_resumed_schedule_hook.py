"""Learning rates of runs that are resumed with another schedule, and of larger batches."""

from pathlib import Path
from typing import Any

import pytest
import torch
from mmengine.hooks import Hook
from mmengine.model import BaseModel
from mmengine.runner import Runner
from torch.utils.data import Dataset

from abc_mmdet.engine import scale_schedules
from abc_mmdet.errors import UserError


class Line(BaseModel):
    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(1))
        self.bias = torch.nn.Parameter(torch.zeros(1))

    def forward(self, x: list, mode: str) -> dict:
        return dict(loss=(self.weight * torch.stack(x) + self.bias - 1).square().mean())


class Numbers(Dataset):
    def __len__(self) -> int:
        return 6

    def __getitem__(self, index: int) -> dict:
        return dict(x=torch.ones(1) * index)


class Rates(Hook):
    priority = 'LOW'

    def __init__(self) -> None:
        self.seen: dict[int, float] = {}

    def before_train_iter(self, runner: Runner, *_: Any, **__: Any) -> None:
        self.seen[runner.iter] = runner.optim_wrapper.param_groups[0]['lr']


def warm_and_cosine(length: int) -> list[dict]:
    return [
        dict(type='LinearLR', start_factor=0.1, begin=0, end=2, by_epoch=False),
        dict(
            type='CosineAnnealingLR',
            begin=2,
            end=length,
            T_max=length - 2,
            eta_min=1e-4,
            by_epoch=False,
        ),
    ]


def one_cycle(length: int) -> list[dict]:
    return [dict(type='OneCycleLR', eta_max=0.01, total_steps=length, end=length, by_epoch=False)]


def epochs(length: int) -> list[dict]:
    """Iterations and epochs (of two iterations here) side by side."""
    return [
        dict(type='LinearLR', start_factor=0.1, begin=0, end=3, by_epoch=False),
        dict(
            type='MultiStepLR', milestones=[length // 4], end=length // 2, gamma=0.5, by_epoch=True
        ),
    ]


def run(
    folder: Path,
    length: int,
    schedule: list[dict],
    until: int | None = None,
    resume: bool = False,
    **wrapper: Any,
) -> tuple[dict[int, float], str]:
    """Learning rates by iteration, and the log. ``until`` stands for a run that was killed."""
    rates = Rates()
    by_epoch = any(s['by_epoch'] for s in schedule)
    steps = until or length
    runner = Runner(
        Line(),
        str(folder),
        train_dataloader=dict(
            dataset=Numbers(), batch_size=3, sampler=dict(type='DefaultSampler', shuffle=False)
        ),
        train_cfg=dict(by_epoch=True, max_epochs=steps // 2)
        if by_epoch
        else dict(by_epoch=False, max_iters=steps),
        optim_wrapper={'optimizer': dict(type='SGD', lr=0.01), **wrapper},
        param_scheduler=schedule,
        default_hooks=dict(
            checkpoint=dict(type='AtomicCheckpointHook', interval=1, by_epoch=by_epoch)
        ),
        custom_hooks=[rates, dict(type='ResumedScheduleHook')],
        randomness=dict(seed=0),
        resume=resume,
        cfg=dict(param_scheduler=schedule),
        experiment_name=f'{folder}_{length}_{until}_{resume}',
        default_scope='mmdet',
    )
    runner.train()
    return rates.seen, max(folder.glob('*/*.log')).read_text()


@pytest.mark.slow
@pytest.mark.parametrize('schedule', [warm_and_cosine, one_cycle, epochs])
def test_a_longer_schedule_is_followed(schedule: Any, tmp_path: Path) -> None:
    straight, _ = run(tmp_path / 'straight', 16, schedule(16))
    first, _ = run(tmp_path / 'longer', 8, schedule(8))
    assert first[7] != straight[7]
    rest, log = run(tmp_path / 'longer', 16, schedule(16), resume=True)
    assert list(rest) == list(range(8, 16))
    assert rest == {i: pytest.approx(straight[i], rel=1e-9) for i in range(8, 16)}
    assert 'The schedule is not that of the checkpoint' in log and 'not heeded' not in log


@pytest.mark.parametrize('schedule', [warm_and_cosine, one_cycle, epochs])
def test_the_same_one_goes_on_exactly(schedule: Any, tmp_path: Path) -> None:
    straight, _ = run(tmp_path / 'straight', 16, schedule(16))
    run(tmp_path / 'killed', 16, schedule(16), until=6)
    rest, log = run(tmp_path / 'killed', 16, schedule(16), resume=True)
    assert rest == {i: straight[i] for i in range(6, 16)}
    assert 'schedule is not that' not in log and 'not heeded' not in log


def test_settings_that_are_not_heeded_are_named(tmp_path: Path) -> None:
    schedule = warm_and_cosine(16)
    first, _ = run(tmp_path / 'run', 16, schedule, until=4)
    other = dict(type='SGD', lr=1e-6, weight_decay=0.5)
    rest, log = run(tmp_path / 'run', 16, schedule, resume=True, optimizer=other)
    assert first[3] / 2 < rest[4] < first[3], 'with the rate it had'
    assert 'optim_wrapper.optimizer.lr 1e-06 (the run has 0.01)' in log
    assert 'optim_wrapper.optimizer.weight_decay 0.5 (the run has 0)' in log
    assert log.count('not heeded of the config') == 1


@pytest.mark.parametrize(
    'other',
    [
        dict(optimizer=dict(type='AdamW', lr=0.01)),
        dict(paramwise_cfg=dict(bias_lr_mult=2.0)),
    ],
    ids=['AdamW', 'groups'],
)
def test_another_optimizer_is_refused(other: dict, tmp_path: Path) -> None:
    run(tmp_path / 'run', 4, warm_and_cosine(4), until=2)
    with pytest.raises(UserError, match='optimizer in the newest checkpoint is not that'):
        run(tmp_path / 'run', 4, warm_and_cosine(4), resume=True, **other)


def test_scaling_with_the_batch_size(tmp_path: Path) -> None:
    """All rates of a schedule grow by the same factor, absolute ones too."""

    def rates(batch_size: int) -> list[float]:
        schedule = [
            *one_cycle(8),
            dict(type='CosineAnnealingLR', begin=8, end=12, T_max=4, eta_min=1e-4, by_epoch=False),
            dict(type='CosineAnnealingMomentum', begin=0, T_max=4, eta_min=0.5, by_epoch=False),
        ]
        runner = Runner(
            Line(),
            str(tmp_path),
            train_dataloader=dict(
                dataset=Numbers(), batch_size=batch_size, sampler=dict(type='DefaultSampler')
            ),
            train_cfg=dict(by_epoch=False, max_iters=12),
            optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.01, momentum=0.9)),
            param_scheduler=schedule,
            auto_scale_lr=dict(enable=True, base_batch_size=1),
            experiment_name=f'batch_{batch_size}',
            default_scope='mmdet',
        )
        optimizer = runner.optim_wrapper = runner.build_optim_wrapper(runner.optim_wrapper)
        _ = runner.train_loop
        scale_schedules(runner)
        runner.scale_lr(optimizer, runner.auto_scale_lr)
        found = []
        schedulers = runner.build_param_scheduler(runner.param_schedulers)
        assert schedulers[2].eta_min == 0.5
        for _ in range(12):
            found.append(optimizer.param_groups[0]['lr'])
            optimizer.optimizer.step()
            for scheduler in schedulers:
                scheduler.step()
        return found

    one, three = rates(1), rates(3)
    assert three == pytest.approx([3 * rate for rate in one])
    assert max(one) == pytest.approx(0.01, rel=0.05), 'the peak is between two steps'
