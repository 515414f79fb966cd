"""Numbers that go wrong in a real runner, in this process; in two, see the file beside this one."""

import json
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from mmengine.config import ConfigDict
from mmengine.model import BaseModel
from mmengine.optim import OptimWrapper
from mmengine.runner import Runner
from mmengine.structures import BaseDataElement
from torch import Tensor, nn
from torch.utils.data import Dataset

from abc_mmdet.apis import prepare_run
from abc_mmdet.engine.checkpoint_files import newest_finite_checkpoint
from abc_mmdet.engine.placed_samples import sample_names
from abc_mmdet.errors import UserError
from mmdet.registry import DATASETS, MODELS, OPTIM_WRAPPERS
from mmdet.structures import DetDataSample, TrackDataSample

EDGE = 77.0


@DATASETS.register_module()
class Numbers(Dataset):
    """Images 0 to 9 of noise; ``bad`` of them hold what makes the network fail."""

    metainfo: dict = {}

    def __init__(self, bad: dict[int, float], size: int = 10) -> None:
        self.bad, self.size = bad, size

    def __len__(self) -> int:
        return self.size

    def __getitem__(self, index: int) -> dict:
        image = torch.randn(2, 4, 4, generator=torch.Generator().manual_seed(index))
        if index in self.bad:
            image[0, 0, 0] = self.bad[index]
        sample = DetDataSample(metainfo=dict(img_path=f'image_{index}.jpg'))
        return dict(inputs=image, data_samples=sample)


@MODELS.register_module()
class TinyModel(BaseModel):
    """A convolution and a normalisation; of an image with an EDGE the gradient is infinite."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm = nn.Conv2d(2, 2, 1), nn.BatchNorm2d(2)
        self.forgot = 0

    def forget_streams(self) -> None:
        self.forgot += 1

    def forward(
        self, inputs: list[Tensor], data_samples: list, mode: str = 'tensor'
    ) -> dict[str, Tensor]:
        out = self.norm(self.conv(torch.stack(inputs)))
        losses = dict(loss_a=out.square().mean(), loss_b=[out.abs().mean(), out.mean()])
        if any((image == EDGE).any() for image in inputs):
            losses['loss_b'].append((self.conv.weight.sum() * 0).sqrt())
        return losses


@OPTIM_WRAPPERS.register_module()
class ScaledOptimWrapper(OptimWrapper):
    """MMEngine's ``AmpOptimWrapper`` as far as it runs without a GPU: a scaler on the CPU."""

    def __init__(self, **options: object) -> None:
        super().__init__(**options)
        self.loss_scaler = torch.amp.GradScaler('cpu', init_scale=4.0)

    def backward(self, loss: Tensor, **kwargs: object) -> None:
        self.loss_scaler.scale(loss).backward(**kwargs)
        self._inner_count += 1

    def step(self, **kwargs: object) -> None:
        self.loss_scaler.step(self.optimizer)
        self.loss_scaler.update()


def build(
    folder: Path,
    bad: dict[int, float],
    hook: dict | None = None,
    schedule: dict | None = None,
    **wrapper: object,
) -> Runner:
    """Ten iterations of one image each, in order, with a checkpoint every two."""
    config = ConfigDict(
        model=dict(type='TinyModel'),
        work_dir=str(folder),
        train_dataloader=dict(
            batch_size=1,
            num_workers=0,
            collate_fn=dict(type='pseudo_collate'),
            sampler=dict(type='InfiniteSampler', shuffle=False),
            dataset=dict(type='Numbers', bad=bad),
        ),
        train_cfg=dict(by_epoch=False, max_iters=10),
        param_scheduler=schedule,
        optim_wrapper={'type': 'OptimWrapper', 'optimizer': dict(type='AdamW', lr=0.1), **wrapper},
        default_hooks=dict(
            checkpoint=dict(type='CheckpointHook', by_epoch=False, interval=2),
            logger=dict(type='LoggerHook', interval=1),
            finite_loss=hook or {},
        ),
        log_processor=dict(by_epoch=False, window_size=1),
        default_scope='mmdet',
        randomness=dict(seed=0),
        experiment_name=f'{folder.parent.name}_{folder.name}',  # MMEngine keeps logs by this name
    )
    prepare_run(config)
    return Runner.from_cfg(config)


def logged(folder: Path) -> list[dict]:
    (path,) = folder.glob('*/vis_data/scalars.json')
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_checkpoints_of_an_earlier_run_are_not_recommended(tmp_path: Path) -> None:
    build(tmp_path, {}).train()
    assert (tmp_path / 'iter_10.pth').exists()
    with pytest.raises(UserError, match='No checkpoint had been written'):
        build(tmp_path, {1: float('nan')}).train()
    with pytest.raises(UserError, match=r'weights are finite: .*iter_2\.pth\n'):
        build(tmp_path, {3: float('nan')}).train()
    resumed = build(tmp_path, {5: float('nan')})
    resumed._resume, resumed._load_from = True, str(tmp_path / 'iter_4.pth')
    with pytest.raises(UserError, match=r'weights are finite: .*iter_4\.pth\n'):
        resumed.train()


@pytest.mark.parametrize('number', [float('nan'), float('inf')])
def test_stops_at_once_and_says_where(tmp_path, number: float, recwarn) -> None:
    schedule = dict(type='LinearLR', start_factor=0.5, end=10, by_epoch=False)
    runner = build(tmp_path, {5: number}, schedule=schedule)
    with pytest.raises(UserError) as error:
        runner.train()
    assert not any('has been overridden' in str(warning.message) for warning in recwarn)
    message = str(error.value)
    assert 'The loss is no number in iteration 6 of 10: loss_a=nan, loss_b=nan.' in message
    assert 'images: image_5.jpg\n' in message
    assert f'weights are finite: {tmp_path / "iter_4.pth"}\n' in message
    assert 'default_hooks.finite_loss.max_skipped=10' in message
    assert all(p.isfinite().all() for p in runner.model.parameters()), 'nothing was learnt from it'
    assert sorted(p.name for p in tmp_path.glob('*.pth')) == ['iter_2.pth', 'iter_4.pth']
    assert len(logged(tmp_path)) == 5


def test_a_gradient_that_is_no_number_is_not_learnt_from(tmp_path) -> None:
    runner = build(tmp_path, {5: EDGE})
    with pytest.raises(UserError) as error:
        runner.train()
    problem = 'The loss is finite, but its gradient is no number in iteration 6 of 10: '
    assert f'{problem}of conv.weight.\n  images: image_5.jpg\n' in str(error.value)
    assert all(p.isfinite().all() for p in runner.model.parameters())


def test_accumulated_batches_are_all_suspects(tmp_path) -> None:
    runner = build(tmp_path, {4: EDGE}, accumulative_counts=3)
    with pytest.raises(UserError, match=r'images: image_3.jpg, image_4.jpg, image_5.jpg\n'):
        runner.train()


def test_without_a_checkpoint_it_says_so(tmp_path) -> None:
    with pytest.raises(UserError, match='No checkpoint had been written'):
        build(tmp_path, {0: float('nan')}).train()


@pytest.mark.parametrize(
    ('number', 'accumulative_counts'), [(float('nan'), 1), (EDGE, 1), (float('nan'), 2)]
)
def test_batches_that_are_left_out_leave_no_trace(
    tmp_path, number: float, accumulative_counts: int
) -> None:
    """Weights, statistics and log are those of a run whose data set does not have the images."""
    options = dict(accumulative_counts=accumulative_counts)
    bad = dict.fromkeys((4, 5), number)
    runner = build(tmp_path / 'bad', bad, dict(max_skipped=2), **options)
    runner.train()
    good = build(tmp_path / 'good', {}, **options)
    dataset = good.train_dataloader.dataset
    dataset.__class__ = type('Without', (Numbers,), {'__getitem__': _without_4_and_5})
    good.train_loop._max_iters = 8
    good.train()
    for name, value in good.model.state_dict().items():
        assert torch.equal(runner.model.state_dict()[name], value), name
    losses, expected = (
        [line['loss'] for line in logged(tmp_path / name)] for name in ('bad', 'good')
    )
    assert losses[4:6] == [losses[3]] * 2, 'the log repeats what it had'
    assert losses[:4] + losses[6:] == expected
    assert runner.model.forgot == 2


def _without_4_and_5(dataset: Numbers, index: int) -> dict:
    return Numbers.__getitem__(dataset, index if index < 4 else index + 2)


def test_it_stops_when_too_many_are_left_out(tmp_path) -> None:
    runner = build(tmp_path, dict.fromkeys((2, 4, 7), float('nan')), dict(max_skipped=2))
    with pytest.raises(UserError, match=r'iteration 8 of 10') as error:
        runner.train()
    assert 'max_skipped=10' in str(error.value)


def test_a_resumed_run_goes_on_counting(tmp_path) -> None:
    bad = dict.fromkeys((1, 7), float('nan'))
    first = build(tmp_path, bad, dict(max_skipped=1))
    first.train_loop._max_iters = 6
    first.train()
    second = build(tmp_path, bad, dict(max_skipped=1))
    second._resume, second._load_from = True, None
    with pytest.raises(UserError, match='iteration 8 of 10'):
        second.train()


@pytest.mark.skipif(not hasattr(torch.amp, 'GradScaler'), reason='it scales on a GPU only')
def test_a_scaled_gradient_that_overflows_is_left_to_the_scaler(tmp_path) -> None:
    runner = build(tmp_path, {5: EDGE}, type='ScaledOptimWrapper')
    runner.train()
    assert runner.optim_wrapper.loss_scaler.get_scale() == 2.0, 'it has tried a smaller one'
    assert all(p.isfinite().all() for p in runner.model.parameters())
    with pytest.raises(UserError, match='iteration 6 of 10: loss_a=nan'):
        build(tmp_path / 'loss', {5: float('nan')}, type='ScaledOptimWrapper').train()


def test_hooks_can_be_left_out_or_named_in_a_config() -> None:
    config = ConfigDict(
        default_hooks=dict(finite_loss=None, mean_loss=dict(priority=5)),
        custom_hooks=[dict(type='EMAHook')],
    )
    prepare_run(config)
    others = dict(
        checkpoint_fit=dict(type='CheckpointFitHook'),
        kept_boxes=dict(type='KeptBoxesHook'),
        pretrained_weights=dict(type='PretrainedWeightsHook'),
        resumed_schedule=dict(type='ResumedScheduleHook'),
    )
    assert config.default_hooks == dict(
        finite_loss=None,
        mean_loss=dict(type='MeanLossHook', priority=5),
        **others,
    )
    config = ConfigDict(custom_hooks=[dict(type='FiniteLossHook', max_skipped=3)])
    prepare_run(config)
    assert config.default_hooks == dict(mean_loss=dict(type='MeanLossHook'), **others)


def test_a_negative_number_is_refused(tmp_path) -> None:
    with pytest.raises(UserError, match='max_skipped=-1'):
        build(tmp_path, {}, dict(max_skipped=-1))


def test_checkpoints_that_are_damaged_or_infinite_are_passed_over(tmp_path) -> None:
    for number, value in ((2, 1.0), (10, 1.0), (9, float('inf'))):
        torch.save(dict(state_dict=dict(w=torch.tensor(value))), tmp_path / f'iter_{number}.pth')
    (tmp_path / 'iter_12.pth').write_bytes((tmp_path / 'iter_2.pth').read_bytes()[:-100])
    (tmp_path / 'iter_11.pth').touch()
    torch.save(dict(a=1), tmp_path / 'iter_13.pth')
    torch.save(dict(state_dict=dict(w=torch.tensor(1.0))), tmp_path / 'best_iter_20.pth')
    assert newest_finite_checkpoint(tmp_path) == tmp_path / 'iter_10.pth'
    assert newest_finite_checkpoint(tmp_path / 'nowhere') is None


def test_names_of_samples() -> None:
    image = DetDataSample(metainfo=dict(img_path='a.jpg'))
    clip = TrackDataSample(metainfo=dict(recording=3, start=5, stop=10))
    named = clip.clone()
    named.video_data_samples = [DetDataSample(metainfo=dict(recording='street'))]
    assert sample_names(dict(data_samples=[image, clip, named])) == [
        'a.jpg',
        'recording 3, steps 5 to 9',
        'street, steps 5 to 9',
    ]
    views = dict(sup=[image], unsup=[image, DetDataSample(metainfo=dict(img_path='b.jpg'))])
    assert sample_names(dict(data_samples=views)) == ['a.jpg', 'b.jpg']
    assert sample_names(dict(data_samples=[BaseDataElement()])) == ['unnamed']
    assert sample_names([SimpleNamespace()]) == []
