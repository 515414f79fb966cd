"""Another length of the training: what follows, against configs written for that length."""

from contextlib import nullcontext
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from mmengine.config import Config
from mmengine.registry import PARAM_SCHEDULERS

from abc_mmdet.apis import load_experiment
from abc_mmdet.apis.run_length import check_length, even_interval, stretch
from abc_mmdet.errors import UserError

ROOT = Path(__file__).parents[2]
TEXT = """
max_iters = {length}
lr = 1e-3
train_cfg = dict(type='IterBasedTrainLoop', max_iters=max_iters, val_interval=max_iters // 4)
optim_wrapper = dict(optimizer=dict(type='SGD', lr=lr))
param_scheduler = [
    dict(type='LinearLR', start_factor=0.01, begin=0, end=max_iters // 20, by_epoch=False),
    dict(
        type='CosineAnnealingLR', begin=max_iters // 20, T_max=max_iters - max_iters // 20,
        end=max_iters, eta_min=lr * 0.02, by_epoch=False)]
custom_hooks = [
    dict(type='EMAHook', ema_type='ExpMomentumEMA', momentum=20 / max_iters, gamma=max_iters // 10),
    dict(type='IterModeSwitchHook', num_last_iters=max_iters * 3 // 20, skip_type_keys=()),
    dict(type='MultiTaskWeightHook', schedule=[
        dict(begin=0, aux_weight=0.0), dict(begin=max_iters // 2, end=max_iters, aux_weight=1.0)])]
default_hooks = dict(
    checkpoint=dict(type='AtomicCheckpointHook', by_epoch=False, interval=max_iters // 4),
    logger=dict(type='LoggerHook', interval=50))
"""


def written(folder: Path, length: int) -> Path:
    path = folder / f'of_{length}.py'
    path.write_text(TEXT.format(length=length))
    return path


def rates(config: Config) -> list[float]:
    """Learning rates of a training, as MMEngine's schedulers give them."""
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=config.lr)
    schedulers = [
        PARAM_SCHEDULERS.build(dict(s), default_args=dict(optimizer=optimizer))
        for s in config.param_scheduler
    ]
    found = []
    for _ in range(config.train_cfg.max_iters):
        found.append(optimizer.param_groups[0]['lr'])
        optimizer.step()
        for scheduler in schedulers:
            scheduler.step()
    return found


@pytest.mark.parametrize('length', [200, 1600, 40_000])
def test_it_is_the_config_written_for_that_length(length: int, tmp_path: Path) -> None:
    option = {'train_cfg.max_iters': length}
    ours = load_experiment(str(written(tmp_path, 800)), option)
    theirs = load_experiment(str(written(tmp_path, length)))
    for field in ('train_cfg', 'param_scheduler', 'custom_hooks', 'default_hooks'):
        assert ours[field] == theirs[field]
    check_length(ours)


@pytest.mark.parametrize('length', [1, 2, 3, 7, 20])
def test_short_ones_are_sound(length: int, tmp_path: Path) -> None:
    for file in (written(tmp_path, 800), ROOT / 'configs/small/abc_synthetic.py'):
        config = load_experiment(str(file), {'train_cfg.max_iters': length})
        check_length(config)
        assert all(0 < rate <= config.lr for rate in rates(config))
        assert 1 <= config.train_cfg.val_interval <= length
    assert config.default_hooks.checkpoint.interval <= length


def test_the_published_recipe() -> None:
    """Linear one-cycle: the peak after 0.5 %, the end at 1 / 10,000 of it."""
    path = ROOT / 'configs/_base_/schedules/one_cycle_100k.py'
    config = load_experiment(str(path), {'train_cfg.max_iters': 2000})
    found = rates(config)
    assert config.train_cfg.val_interval == 200
    assert found.index(max(found)) in (9, 10)
    assert max(found) == pytest.approx(config.lr)
    assert found[-1] == pytest.approx(config.lr / 10_000)
    assert found[1005] == pytest.approx(config.lr / 2, rel=0.01)


def test_what_is_given_too_stays_as_given(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    options = {'train_cfg.max_iters': 400, 'train_cfg.val_interval': 30, 'param_scheduler.0.end': 5}
    config = load_experiment(str(written(tmp_path, 800)), options)
    assert config.train_cfg.val_interval == 30
    assert (config.param_scheduler[0].end, config.param_scheduler[1].begin) == (5, 20)
    assert 'custom_hooks.0.gamma: 80 -> 40' in capsys.readouterr().err


def test_epochs() -> None:
    config = Config(
        dict(
            train_cfg=dict(type='EpochBasedTrainLoop', max_epochs=300, val_interval=10),
            param_scheduler=[
                dict(type='LinearLR', start_factor=0.001, by_epoch=False, begin=0, end=500),
                dict(type='MultiStepLR', by_epoch=True, begin=0, end=300, milestones=[240, 270]),
            ],
            custom_hooks=[dict(type='YOLOXModeSwitchHook', num_last_epochs=15)],
            default_hooks=dict(checkpoint=dict(type='CheckpointHook', interval=10)),
        )
    )
    stretch(config, 'max_epochs', 30)
    assert config.train_cfg.val_interval == 1 == config.default_hooks.checkpoint.interval
    assert config.param_scheduler[0].end == 500, 'of iterations, which are not known here'
    assert config.param_scheduler[1].milestones == [24, 27]
    assert config.custom_hooks[0].num_last_epochs == 2


@pytest.mark.parametrize('length', [0, -4, 1.5, True, 'all'])
def test_impossible_lengths(length: object, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r'train_cfg\.max_iters=.*: give a whole number'):
        load_experiment(str(written(tmp_path, 800)), {'train_cfg.max_iters': length})


def test_a_file_that_does_not_agree_with_itself(
    tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    one_cycle = ROOT / 'configs/_base_/schedules/one_cycle_100k.py'

    def config(text: str, base: Path = one_cycle) -> Config:
        path = tmp_path / 'mine.py'
        path.write_text(f'_base_ = {str(base)!r}\n{text}')
        return load_experiment(str(path))

    check_length(config(''))
    assert not capsys.readouterr().err
    with pytest.raises(UserError, match=r'max_iters=200000; .*\n  param_scheduler\.0\.total_steps'):
        check_length(config('train_cfg = dict(max_iters=200_000)'))
    check_length(config('train_cfg = dict(max_iters=1000)'))
    assert 'param_scheduler.0.total_steps=100000' in capsys.readouterr().err
    base = written(tmp_path, 800)
    check_length(config('train_cfg = dict(max_iters=900)', base))
    assert 'param_scheduler.1.end=800' in capsys.readouterr().err
    constant = """param_scheduler = [
    dict(type='LinearLR', start_factor=0.01, begin=0, end=40, by_epoch=False)]"""
    check_length(config(constant, base))
    assert not capsys.readouterr().err, 'after a warm-up a rate may stay what it is'
    averaged = "custom_hooks = [dict(type='EMAHook', momentum=1.0)]"
    with pytest.raises(UserError, match=r'custom_hooks\.0\.momentum=1 is not between 0 and 1'):
        check_length(config(averaged, base))


@pytest.mark.parametrize(
    ('scheduler', 'message'),
    [
        (dict(type='MultiStepLR', milestones=[2]), 'counts epochs .*by_epoch=False'),
        (dict(type='LinearLR', start_factor=0.1, by_epoch=True), 'counts epochs'),
        (dict(type='ReduceOnPlateauLR', monitor='bbox_mAP', by_epoch=False), 'never looks at'),
        (dict(type='ReduceOnPlateauLR', monitor='bbox_mAP'), None),
        (dict(type='MultiStepLR', milestones=[2], convert_to_iter_based=True), None),
        (dict(type='MultiStepLR', milestones=[2], by_epoch=False), None),
    ],
)
def test_a_schedule_that_would_never_move(scheduler: dict, message: str | None) -> None:
    config = Config(dict(train_cfg=dict(max_iters=9), param_scheduler=[scheduler]))
    expected = pytest.raises(UserError, match=message) if message else nullcontext()
    with expected:
        check_length(config)
    # Epochs count both: iterations for the warm-up, epochs for what follows
    epochs = Config(dict(train_cfg=dict(max_epochs=9), param_scheduler=[scheduler]))
    if message != 'never looks at':
        check_length(epochs)


def test_of_no_length_are_the_last_two_validations_neighbours(tmp_path: Path) -> None:
    path = tmp_path / 'often.py'
    path.write_text(TEXT.format(length=2500).replace('max_iters // 4', '50'))
    for length in (51, 101, 2451, 2501):
        config = load_experiment(str(path), {'train_cfg.max_iters': length})
        interval = config.train_cfg.val_interval
        assert config.default_hooks.checkpoint.interval == interval
        moments = [i for i in range(1, length + 1) if i % interval == 0 or i == length]
        assert moments[-1] - moments[-2] >= interval / 2


@given(length=st.integers(1, 5000), interval=st.integers(1, 6000))
def test_the_last_part_is_no_short_one(length: int, interval: int) -> None:
    """Against the iterations at which MMEngine's loop validates."""
    chosen = even_interval(interval, length)
    assert chosen >= interval
    moments = [i for i in range(1, length + 1) if i % chosen == 0 or i == length]
    if len(moments) > 1:
        assert moments[-1] - moments[-2] >= chosen / 2
    if length % interval == 0:
        assert chosen == interval, 'what fits stays'
    assert chosen <= 2 * interval, 'about as often'
