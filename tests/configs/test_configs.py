import ast
import re
from pathlib import Path

import pytest
import torch
from mmengine.config import Config

from abc_mmdet.datasets.events.catalogue import CATALOGUE, ETRAM
from abc_mmdet.models import ABCPAFPN, ABCHead
from abc_mmdet.models.task_modules import (
    CenterSimOTAAssigner,
    SizedSimOTAAssigner,
)
from mmdet.registry import METRICS, MODELS

from .steps import train_and_predict

ROOT = Path(__file__).parents[2]
CONFIGS = sorted(path.relative_to(ROOT) for path in ROOT.glob('configs/**/*.py'))
ABLATIONS = [Path('configs/ablation_coco'), Path('configs/ablation_events')]  # their own tests
EXPERIMENTS = [p for p in CONFIGS if '_base_' not in p.parts and p.parent not in ABLATIONS]


def load(path: Path | str) -> Config:
    return Config.fromfile(ROOT / path)


@pytest.mark.parametrize('path', CONFIGS, ids=str)
def test_every_file_loads_and_is_short(path: Path) -> None:
    assert len(load(path)) > 0
    if path in EXPERIMENTS:
        assert len((ROOT / path).read_text().splitlines()) < 40


def levels(path: Path) -> int:
    """How many ``_base_`` lie between a config and the last one, which has none."""
    text = re.sub(r'\{\{\$\w+:(\w+)\}\}', r'\1', path.read_text())  # defaults of variables
    bases: list[str] | str = []
    for node in ast.parse(text).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == '_base_':
            bases = ast.literal_eval(node.value)
    bases = [bases] if isinstance(bases, str) else bases
    return max((1 + levels(path.parent / base) for base in bases), default=0)


@pytest.mark.parametrize('path', CONFIGS, ids=str)
def test_a_config_can_be_read_to_its_end(path: Path) -> None:
    """Not one base below the other without end, and no transform by a number."""
    assert levels(ROOT / path) <= 4
    assert re.findall(r'\w*pipeline\w*\[', (ROOT / path).read_text()) == []


def test_levels_are_counted() -> None:
    assert levels(ROOT / 'configs/_base_/default_runtime.py') == 0
    assert levels(ROOT / 'configs/_base_/schedules/small.py') == 1
    assert levels(ROOT / 'configs/abc_sod_basic_100k_1280x720.py') == 4


@pytest.mark.parametrize('path', EXPERIMENTS, ids=str)
def test_every_experiment_trains_and_predicts(path: Path) -> None:
    train_and_predict(load(path))


def test_classes_of_the_configs_are_those_of_the_catalogue() -> None:
    config = load('configs/_base_/datasets/etram_classes.py')
    assert config.classes == ETRAM.classes


@pytest.mark.parametrize('name', ['dsec-detection', 'pedro', 'fred', 'ev-uav'])
def test_data_sets_of_events_are_those_of_the_catalogue(name: str) -> None:
    entry = CATALOGUE[name]
    config = load(f'configs/_base_/datasets/{name.replace("-", "_")}_events.py')
    folder = name.replace('-', '_')
    assert config.classes == entry.classes
    assert set(config.small_classes) <= set(entry.classes)
    for loader in (config.train_dataloader, config.val_dataloader, config.test_dataloader):
        dataset = loader.dataset
        assert (dataset.catalogue, dataset.metainfo) == (name, dict(classes=entry.classes))
        assert dataset.data_root == f'data/{folder}/'
        representation = dataset.get('representation', 'stacked_histogram_dt=50_nbins=10')
        assert representation == f'stacked_histogram_dt={entry.window_ms}_nbins=10'
    assert config.train_dataloader.dataset.pipeline[0].type == 'LoadEventClip'
    assert config.val_evaluator.protocol == config.test_evaluator.protocol == 'coco'
    assert f'--dataset {name}' in config.data_help and f'data/{folder} ' in config.data_help + ' '
    downsample = re.search(r'--downsample (\w+)', config.data_help)
    assert dataset.downsample == (downsample[1] if downsample else 'sum')


def test_the_config_of_the_guide_to_data_sets_of_events(tmp_path: Path) -> None:
    guide = (ROOT / 'docs' / 'events.md').read_text()
    (snippet,) = re.findall(r'```python\n(_base_ = .+?)```', guide, re.DOTALL)
    assert 'ev_uav_events.py' in snippet
    (tmp_path / 'mine.py').write_text(snippet.replace("'abc/", f"'{ROOT}/"))
    config = Config.fromfile(tmp_path / 'mine.py')
    assert config.model.bbox_head.num_classes == len(config.classes) == 1
    assert config.train_dataloader.dataset.catalogue == 'ev-uav'
    assert config.model.type == 'StreamingDetector' and config.optim_wrapper


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
