"""``load_from`` with tools/train.py as a process: what is taken over, what is refused."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from abc_mmdet.apis import load_experiment
from abc_mmdet.engine.hooks.pretrained_weights_hook import pretrained_classes
from mmdet.datasets import CocoDataset
from mmdet.registry import MODELS

from ..tiny_runs import IMAGES, ROOT, write_config, write_images
from ..warm_tools import WarmTools

CLASSES = ('person', 'car', 'cat')


@pytest.fixture(scope='module')
def tools() -> Iterator[WarmTools]:
    tools = WarmTools()
    yield tools
    tools.close()


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
