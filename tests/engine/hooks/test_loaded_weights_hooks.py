"""Weights that a run begins with are those of its network, by name or by meaning."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from abc_mmdet.apis import load_experiment
from abc_mmdet.engine.hooks.loaded_weights_hooks import pretrained_classes
from mmdet.datasets import CocoDataset
from mmdet.registry import MODELS

from ..tiny_runs import IMAGES, ROOT, write_config, write_images
from ..warm_tools import WarmTools

TEST = """
test_dataloader = dict(loader, dataset=dict(data_root=data_root))
test_evaluator = dict(
    ann_file=data_root + 'annotations/val.json', small_classes=('pedestrian',))
"""


@pytest.fixture(scope='module')
def tools() -> Iterator[WarmTools]:
    tools = WarmTools()
    yield tools
    tools.close()


@pytest.fixture(scope='module')
def run(tools: WarmTools, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a config, its data and a checkpoint of its training."""
    folder = tmp_path_factory.mktemp('fit')
    data = write_images(folder / 'data')
    config = write_config(folder / 'mine.py', IMAGES, data, iterations=2, every=2)
    with config.open('a') as file:
        file.write(TEST)
    log = folder / 'log.txt'
    code = tools.run('tools/train.py', config, '--work-dir', folder / 'work', output=log)
    assert code == 0, log.read_text()[-3000:]
    return folder


def changed(run: Path, path: Path, change: Any) -> Path:
    checkpoint = torch.load(run / 'work/iter_2.pth', weights_only=False)
    torch.save(change(checkpoint) or checkpoint, path)
    return path


def other_order(checkpoint: dict) -> None:
    meta = checkpoint['meta']['dataset_meta']
    meta['classes'] = tuple(reversed(meta['classes']))


def one_class(checkpoint: dict) -> None:
    for name, value in checkpoint['state_dict'].items():
        if 'conv_cls' in name and 'main_head' in name:
            checkpoint['state_dict'][name] = value[:1]
    checkpoint['meta']['dataset_meta']['classes'] = ('car',)


def not_finite(checkpoint: dict) -> None:
    next(iter(checkpoint['state_dict'].values())).fill_(float('nan'))


def wider(checkpoint: dict) -> None:
    for name, value in checkpoint['state_dict'].items():
        if name.startswith('backbone') and value.ndim == 4:
            checkpoint['state_dict'][name] = value.repeat(2, 1, 1, 1)


def as_list(checkpoint: dict) -> list:
    return [checkpoint['state_dict']]


def meta_as_text(checkpoint: dict) -> None:
    checkpoint['meta'] = 'text'


def for_parallel(checkpoint: dict) -> dict:
    return {f'module.{name}': value for name, value in checkpoint['state_dict'].items()}


CASES = [  # every tool once with every kind of fault would take minutes
    ('test', one_class, 'the file has it as (1, 32, 1, 1)'),
    ('test', other_order, 'the same classes in another order'),
    ('test', not_finite, 'NaN or infinite values'),
    ('test', as_list, 'it is a list'),
    ('infer', other_order, 'the same classes in another order'),
    ('infer', not_finite, 'NaN or infinite values'),
    ('infer', meta_as_text, 'its meta information is a str'),
    ('resume', other_order, 'the same classes in another order'),
    ('resume', wider, 'the network has backbone.stem.conv.conv.weight'),
    ('resume', as_list, 'it is a list'),
    ('resume', for_parallel, 'has no meta, optimizer, message_hub'),
]


def command(tool: str, run: Path, checkpoint: Path, out: Path) -> list:
    config = run / 'mine.py'
    if tool == 'infer':
        images = run / 'data/val'
        return ['tools/infer.py', config, checkpoint, images, '--out', out, '--device=cpu']
    if tool == 'test':
        return ['tools/test.py', config, checkpoint, '--work-dir', out]
    return ['tools/train.py', config, '--resume', checkpoint, '--work-dir', out]


@pytest.mark.parametrize(
    ('tool', 'change', 'message'), CASES, ids=[f'{tool}-{c.__name__}' for tool, c, _ in CASES]
)
def test_what_does_not_fit_is_refused(
    tools: WarmTools, run: Path, tmp_path: Path, tool: str, change: Any, message: str
) -> None:
    checkpoint = changed(run, tmp_path / 'other.pth', change)
    log = tmp_path / 'log.txt'
    code = tools.run(*command(tool, run, checkpoint, tmp_path / 'out'), output=log)
    text = log.read_text()
    assert code == 2, text[-3000:]
    said = text[text.index('error: ') :]
    assert message in said and str(checkpoint) in said and 'Traceback' not in text
    assert 'bbox_mAP' not in said and not list(tmp_path.glob('out/**/*.json'))


def test_names_of_a_parallel_model_without_anything_else(
    tools: WarmTools, run: Path, tmp_path: Path
) -> None:
    """They are tested, and give detections, like the checkpoint itself."""
    bare = changed(run, tmp_path / 'bare.pth', for_parallel)
    figures, detections = [], []
    for number, checkpoint in enumerate((run / 'work/iter_2.pth', bare)):
        log = tmp_path / f'{number}.txt'
        for tool in ('test', 'infer'):
            out = tmp_path / f'{tool}{number}'
            options = ['--score-thr=0'] if tool == 'infer' else ['--verbose']
            code = tools.run(*command(tool, run, checkpoint, out), *options, output=log)
            assert code == 0, log.read_text()[-3000:]
        figures.append(re.findall(r'^bbox_mAP\S*: .*', log.read_text(), re.M))
        detections.append((tmp_path / f'infer{number}/detections.json').read_text())
    assert figures[0] == figures[1] and len(figures[0]) > 3
    assert detections[0] == detections[1] and '"score"' in detections[0]
    assert 'does not name its classes' in (tmp_path / '1.txt').read_text()
    assert 'does not name its classes' not in (tmp_path / '0.txt').read_text()


CLASSES = ('person', 'car', 'cat')


@pytest.fixture(scope='module')
def config(tmp_path_factory) -> Path:
    """ABC on four levels, with eight classes."""
    folder = tmp_path_factory.mktemp('finetuning')
    data = write_images(folder / 'data')
    return write_config(folder / 'mine.py', IMAGES, data, iterations=2, every=2, validate=100)


def write_pretrained(path: Path, width: float = 0.125, **checkpoint: object) -> dict:
    """A plain detector on strides 8, 16, 32 for three classes; its weights."""
    text = f"""
_base_ = '{ROOT}/configs/_base_/models/yolox_3level.py'
model = dict(
    backbone=dict(widen_factor={width}),
    neck=dict(in_channels={[round(c * width) for c in (256, 512, 1024)]}, out_channels=32),
    bbox_head=dict(num_classes=3, in_channels=32, feat_channels=32, stacked_convs=1))
"""
    source = path.with_suffix('.py')
    source.write_text(text)
    model = MODELS.build(load_experiment(str(source)).model)
    model.init_weights()
    torch.save({'state_dict': model.state_dict(), **checkpoint}, path)
    return model.state_dict()


def train(tools: WarmTools, config: Path, work_dir: Path, *options: str) -> tuple[int, str]:
    log = work_dir.with_suffix('.txt')
    code = tools.run('tools/train.py', config, '--work-dir', work_dir, *options, output=log)
    return code, log.read_text()


def test_fine_tuning(tools: WarmTools, config: Path, tmp_path: Path) -> None:
    weights = tmp_path / 'pretrained.pth'
    old = write_pretrained(weights, meta=dict(dataset_meta=dict(classes=CLASSES)))
    still = 'optim_wrapper.optimizer.lr=0.0 param_scheduler=None custom_hooks=[]'
    code, text = train(
        tools,
        config,
        tmp_path / 'run',
        '--cfg-options',
        f'load_from={weights}',
        'default_hooks.pretrained_weights.class_map.tram=cat',
        *still.split(),
    )
    assert code == 0, text
    assert text.count(f'weights from {weights}\n') == 1
    assert 'classes by name: pedestrian <- person, car <- car, tram <- cat' in text
    assert 'strides 8, 16, 32 -> 4, 8, 16, 32' in text
    assert 'size mismatch' not in text and 'missing keys' not in text
    new = torch.load(tmp_path / 'run/iter_2.pth', weights_only=False)['state_dict']
    prefix = 'bbox_head.main_head.multi_level_conv_cls'
    assert torch.equal(
        new[f'{prefix}.1.weight'][[0, 1, 6]], old['bbox_head.multi_level_conv_cls.0.weight']
    )
    assert torch.equal(new['backbone.stem.conv.conv.weight'], old['backbone.stem.conv.conv.weight'])


def test_the_wrong_file_is_refused(tools: WarmTools, config: Path, tmp_path: Path) -> None:
    weights = tmp_path / 'wide.pth'
    write_pretrained(weights, width=0.25)
    code, text = train(tools, config, tmp_path / 'run', '--cfg-options', f'load_from={weights}')
    assert code == 2, text
    assert 'does not fit this network: 0 % of the backbone' in text
    assert 'Traceback' not in text and not list(tmp_path.glob('run/*.pth'))


def test_a_file_without_weights_is_refused(tools: WarmTools, config: Path, tmp_path: Path) -> None:
    weights = tmp_path / 'nothing.pth'
    torch.save(dict(meta=dict(epoch=1)), weights)
    code, text = train(tools, config, tmp_path / 'run', '--cfg-options', f'load_from={weights}')
    assert code == 2, text
    assert f'{weights} holds no weights' in text and 'Traceback' not in text


def test_classes_of_a_checkpoint() -> None:
    coco = {'bbox_head.multi_level_conv_cls.0.bias': torch.zeros(80)}
    other = {'bbox_head.multi_level_conv_cls.0.bias': torch.zeros(3)}
    assert pretrained_classes(None, coco) == CocoDataset.METAINFO['classes']
    assert pretrained_classes({}, other) is None
    assert pretrained_classes(dict(CLASSES=CLASSES), other) == CLASSES  # MMDetection 2
    assert pretrained_classes(dict(dataset_meta=dict(CLASSES=CLASSES)), other) == CLASSES
    assert pretrained_classes(dict(dataset_meta=dict(classes=CLASSES)), coco) == CLASSES
