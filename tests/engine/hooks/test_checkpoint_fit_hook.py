"""The tools as processes, with checkpoints that do not fit, and with such as only look unusual."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from ..tiny_runs import IMAGES, write_config, write_images
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
