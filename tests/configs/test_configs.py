from pathlib import Path

import pytest
import torch
from mmengine.config import Config

from abc_mmdet.datasets.events.catalogue import ETRAM
from abc_mmdet.models import ABCPAFPN, ABCHead
from abc_mmdet.models.task_modules import (
    CenterSimOTAAssigner,
    FastSimOTAAssigner,
    SizedSimOTAAssigner,
)
from abc_mmdet.models.wasserstein import nwd_constants
from mmdet.registry import METRICS, MODELS
from mmdet.structures import TrackDataSample
from mmdet.testing import demo_mm_inputs

ROOT = Path(__file__).parents[2]
CONFIGS = sorted(path.relative_to(ROOT) for path in ROOT.glob('configs/**/*.py'))
EXPERIMENTS = [path for path in CONFIGS if '_base_' not in path.parts]


def load(path: Path | str) -> Config:
    return Config.fromfile(ROOT / path)


@pytest.mark.parametrize('path', CONFIGS, ids=str)
def test_every_file_loads_and_is_short(path: Path) -> None:
    assert len(load(path)) > 0
    if path in EXPERIMENTS:
        assert len((ROOT / path).read_text().splitlines()) < 40


@pytest.mark.parametrize('path', EXPERIMENTS, ids=str)
def test_every_experiment_trains_and_predicts(path: Path) -> None:
    config = load(path)
    if config.model.get('teacher'):
        config.model.teacher.checkpoint = None  # it is trained before
    model = MODELS.build(config.model)
    model.init_weights()
    for _, constant in nwd_constants(model):
        constant.value = constant.value or 20.0  # NWDConstantHook measures it in training
    data = demo_batch(config)
    batch = model.data_preprocessor(data, training=True)
    losses = model.train()(**batch, mode='loss')
    total, _ = model.parse_losses(losses)
    assert total.isfinite()
    total.backward()
    assert all(p.grad is not None for p in model.parameters() if p.requires_grad)
    with torch.no_grad():
        model.eval()(**batch, mode='predict')

    for loader in (config.train_dataloader, config.val_dataloader, config.test_dataloader):
        dataset = loader.dataset
        while 'dataset' in dataset:  # inside MultiImageMixDataset
            dataset = dataset.dataset
        assert dataset.metainfo.classes == config.classes
    head = model.bbox_head
    assert isinstance(head.assigner, FastSimOTAAssigner)
    if isinstance(head, ABCHead):
        assert head.classes == tuple(config.classes)
    if isinstance(head, ABCHead) and config.model.bbox_head.get('use_auxiliary', True):
        small = tuple(config.small_classes)
        if config.model.bbox_head.small_classes == 'all':
            small = tuple(config.classes)
        assert head.small_classes.names == small
        assert isinstance(head.aux_head.assigner, FastSimOTAAssigner)
    else:
        assert head.num_classes == len(config.classes)


def demo_batch(config: Config) -> dict:
    """Two samples: images of 96 x 64 px, or clips of two steps whose last one is labelled."""
    shape = (3, 64, 96)
    data = demo_mm_inputs(2, [shape] * 2, num_items=[3, 0], num_classes=len(config.classes))
    if config.model.type != 'StreamingDetector':
        return data
    clips = []
    for i, sample in enumerate(data['data_samples']):
        sample.set_metainfo(dict(step=1))
        clip = TrackDataSample(metainfo=dict(recording=i, seed=0, start=0, stop=2, streamed=i == 0))
        clip.video_data_samples = [sample]
        clips.append(clip)
    events = torch.randint(0, 11, (2, 20, *shape[1:]), dtype=torch.uint8)
    return dict(inputs=[events, events], data_samples=clips)


def test_classes_of_the_configs_are_those_of_the_catalogue() -> None:
    config = load('configs/_base_/datasets/etram_classes.py')
    assert config.classes == ETRAM.classes


def test_published_experiment() -> None:
    config = load('configs/abc_sod_basic_100k.py')
    assert config.model.backbone.arch == 'base'
    dataset = config.train_dataloader.dataset
    assert (dataset.catalogue, dataset.downsample, dataset.clip_length) == ('etram', 'nearest', 5)
    assert config.train_dataloader.batch_sampler.random_share == 0.5
    model = MODELS.build(config.model)
    head = model.bbox_head
    assert head.pyramid_strides == [4, 8, 16, 32]
    assert list(head.main_head.strides) == [4, 8, 16, 32]
    assert list(head.aux_head.strides) == [4, 8]
    assert head.small_classes.names == ('pedestrian', 'bicycle', 'motorbike')
    assert head.small_classes.ids == (0, 2, 4)
    assert type(head.main_head.loss_bbox).__name__ == 'SizeAwareIoULoss'
    assert (head.multi_task_loss.main_weight, head.multi_task_loss.aux_weight) == (1.0, 2.0)
    assert config.train_dataloader.batch_size == 6
    assert config.train_cfg.max_iters == 100_000
    assert config.optim_wrapper.optimizer.type == 'AdamW'
    assert config.optim_wrapper.optimizer.lr == pytest.approx(2e-4 * (6 / 8) ** 0.5, rel=2e-3)


def test_one_cycle_of_the_published_experiment() -> None:
    config = load('configs/abc_sod_basic_100k.py')
    (schedule,) = config.param_scheduler
    from mmengine.optim import OneCycleLR

    options = {k: v for k, v in schedule.items() if k != 'type'} | dict(total_steps=1000)
    parameter = torch.nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.AdamW([parameter], lr=config.lr)
    scheduler = OneCycleLR(optimizer, **options)
    rates = []
    for _ in range(1000):
        rates.append(optimizer.param_groups[0]['lr'])
        optimizer.step()
        scheduler.step()
    assert rates[0] == pytest.approx(config.lr / 20)
    assert max(rates) == pytest.approx(config.lr)
    assert rates.index(max(rates)) in (4, 5)  # after 0.5 % of the steps
    assert rates[-1] == pytest.approx(config.lr / 10_000)
    middle = (rates[4] + rates[-1]) / 2
    assert rates[502] == pytest.approx(middle, rel=0.01), 'falls in a straight line'


@pytest.mark.parametrize('path', sorted(ROOT.glob('configs/*.py')), ids=lambda path: path.stem)
def test_event_configs_assign_and_normalise_as_rvt(path: Path) -> None:
    config = load(path)
    assert config.sync_bn == 'torch'
    head = MODELS.build(config.model).bbox_head
    if path.stem == 'finer_levels_100k':  # another assignment, which won from scratch
        assert type(head.assigner) is SizedSimOTAAssigner and head.assigner.center_radius == 2.5
        return
    heads = [head, head.aux_head] if isinstance(head, ABCHead) else [head]
    for one in heads:
        assert type(one.assigner) is CenterSimOTAAssigner and one.assigner.center_radius == 1.5


def test_evaluation_of_the_published_figures_of_rvt() -> None:
    config, baseline = load('configs/rvt_evaluation.py'), load('configs/baseline_3level_100k.py')
    metric = METRICS.build(config.test_evaluator)
    assert (metric.protocols, metric.proposal_nums) == (('prophesee',), [100])
    post = config.model.test_cfg
    assert (post.score_thr, post.nms.iou_threshold, post.nms.max_num) == (0.001, 0.45, -1)
    ours, theirs = (MODELS.build(c.model).state_dict() for c in (config, baseline))
    assert {k: v.shape for k, v in ours.items()} == {k: v.shape for k, v in theirs.items()}


@pytest.mark.parametrize(('name', 'downsample'), [('1280x720', 'none'), ('sum_downsample', 'sum')])
def test_other_resolutions_of_the_published_experiment(name: str, downsample: str) -> None:
    published, child = (
        load('configs/abc_sod_basic_100k.py'),
        load(f'configs/abc_sod_basic_100k_{name}.py'),
    )
    for loader in ('train_dataloader', 'val_dataloader', 'test_dataloader'):
        assert child[loader].dataset.pop('downsample') == downsample
        assert published[loader].dataset.pop('downsample') == 'nearest'
        assert child[loader] == published[loader]
    assert child.model == published.model


def test_ablation_is_the_same_at_every_size(monkeypatch) -> None:
    """A size changes how large everything is, not what a variant is."""

    def variants(size: str) -> dict[str, Config]:
        monkeypatch.setenv('ABC_ABLATION_SIZE', size)
        return {
            path.stem: load(path) for path in EXPERIMENTS if path.parent.name == 'ablation_coco'
        }

    small, large = variants('cpu'), variants('gpu')
    for name in small:
        assert small[name].variant == large[name].variant
        assert small[name].max_iters < large[name].max_iters
        assert parts(small[name].model) == parts(large[name].model), name
        assert small[name].val_evaluator == large[name].val_evaluator
    orders = [config.variant.order for config in small.values()]
    assert len(set(orders)) == len(orders)


def parts(config: dict) -> dict:
    """A model's config without what a size may change."""
    changed = ('widen_factor', 'in_channels', 'out_channels', 'feat_channels', 'use_depthwise')
    return {
        key: parts(value) if isinstance(value, dict) else value
        for key, value in config.items()
        if key not in changed
    }


@pytest.mark.parametrize('family', ['configs', 'configs/frames'])
def test_train_only_level_is_the_baseline_at_inference(family: str) -> None:
    from abc_mmdet.checkpoints.conversion import to_plain

    ours = MODELS.build(load(f'{family}/abc_train_only_100k.py').model).eval()
    baseline = MODELS.build(load(f'{family}/baseline_3level_100k.py').model).eval()
    assert isinstance(ours.neck, ABCPAFPN)
    baseline.load_state_dict(to_plain(ours.state_dict()))  # strict: same names, same shapes
    channels = 3 if 'frames' in family else 20
    image = torch.randn(1, channels, 64, 96)
    for a, b in zip(ours(image), baseline(image), strict=True):
        assert all(torch.equal(x, y) for x, y in zip(a, b, strict=True))


@pytest.mark.parametrize(
    ('finer', 'baseline', 'channels'),
    [
        ('configs/frames/finer_levels_100k.py', 'configs/frames/baseline_3level_100k.py', 3),
        ('configs/finer_levels_100k.py', 'configs/baseline_3level_100k.py', 20),
    ],
)
def test_finer_levels_cost_no_more_than_the_baseline(
    finer: str, baseline: str, channels: int
) -> None:
    from torch.utils.flop_counter import FlopCounterMode

    flops = []
    for path in (finer, baseline):
        model = MODELS.build(load(path).model).eval()
        with FlopCounterMode(display=False) as counter, torch.no_grad():
            model(torch.zeros(1, channels, 128, 192))
        flops.append(counter.get_total_flops())
    assert 0.8 < flops[0] / flops[1] < 1.0
