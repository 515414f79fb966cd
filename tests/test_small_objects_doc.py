"""Every config of docs/small_objects.md trains a step on generated traffic."""

import logging
import re
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from mmengine.dataset import pseudo_collate
from mmengine.logging import MessageHub

from abc_mmdet.apis import load_experiment
from abc_mmdet.datasets.synthetic.coco_export import Recipe, prepare
from abc_mmdet.engine import NWDConstantHook
from abc_mmdet.engine.hooks.data_check_hooks import check_transforms
from abc_mmdet.models.task_modules import SizedSimOTAAssigner
from mmdet.registry import DATA_SAMPLERS, DATASETS, MODELS

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / 'docs' / 'small_objects.md').read_text()
CONFIGS = dict(
    zip(
        ['trimmed', 'finer', 'task', 'nwd', 'gate', 'paste', 'sampler'],
        re.findall(r'```python\n(.*?)```', TEXT, re.S),
        strict=True,
    )
)


@pytest.fixture(scope='module')
def data(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp('data') / 'traffic'
    prepare(root, Recipe(train=4, val=1, width=128, height=96, seed=5), False)
    return root


def with_small_images(node: object) -> object:
    """A config, or part of one, with images of 160 x 90 pixels in place of 640 x 360."""
    if isinstance(node, dict):
        for key in node:
            node[key] = with_small_images(node[key])
    elif isinstance(node, (list, tuple)):
        small = tuple(node) == (640, 360)
        return type(node)((160, 90) if small else map(with_small_images, node))
    return node


@pytest.mark.parametrize('name', CONFIGS)
def test_config_trains(name: str, data: Path, tmp_path: Path) -> None:
    path = tmp_path / 'mine.py'
    path.write_text(CONFIGS[name].replace("'./frames/", f"'{ROOT}/configs/frames/"))
    options = {
        'data_root': str(data),
        'model.backbone.widen_factor': 0.125,
        'model.neck.in_channels': {'trimmed': [32, 64, 128], 'finer': [16, 32, 64]}.get(
            name, [16, 32, 64, 128]
        ),
    }
    config = load_experiment(str(path), options)
    loader = with_small_images(config.train_dataloader)
    model, dataset = MODELS.build(config.model), DATASETS.build(loader.dataset)
    check_transforms(dataset, config.classes, 'train_dataloader')
    sampler = DATA_SAMPLERS.build(loader.sampler, default_args=dict(dataset=dataset, seed=0))
    indices = iter(sampler)
    runner = SimpleNamespace(
        model=model,
        train_dataloader=SimpleNamespace(dataset=dataset),
        message_hub=MessageHub.get_instance(f'doc of {name}'),
        seed=0,
        logger=logging.getLogger('doc'),
    )
    NWDConstantHook(num_samples=4).before_train(runner)
    np.random.seed(0)
    batch = pseudo_collate([dataset[next(indices)] for _ in range(2)])
    losses = model.train()(**model.data_preprocessor(batch, True), mode='loss')
    total, _ = model.parse_losses(losses)
    assert total.isfinite()
    total.backward()
    if name == 'finer':
        assert isinstance(model.bbox_head.assigner, SizedSimOTAAssigner)
    assert all(p.grad.isfinite().all() for p in model.parameters() if p.requires_grad)
    if name == 'nwd':
        assert set(runner.message_hub.get_info('nwd_constants')) == {
            'main task',
            'bbox_head.aux_head',
        }


def test_names_of_the_command_line_reach_transforms_and_samplers(tmp_path: Path) -> None:
    classes = ('car', 'van')
    for name in ('paste', 'sampler'):
        path = tmp_path / f'{name}.py'
        path.write_text(CONFIGS[name].replace("'./frames/", f"'{ROOT}/configs/frames/"))
        config = load_experiment(str(path), dict(classes=classes, small_classes=['van']))
        loader = config.train_dataloader
        place = loader.sampler if name == 'sampler' else loader.dataset.pipeline[0]
        assert place.small_classes == ('van',)
        assert place.get('classes', classes) == classes


def test_figures_of_overlap() -> None:
    from abc_mmdet.models.task_modules import NWDOverlaps2D
    from mmdet.structures.bbox import bbox_overlaps

    box = torch.tensor([[0.0, 0, 6, 6]])
    iou = [bbox_overlaps(box, box + shift).item() for shift in (3, 6)]
    assert iou == [pytest.approx(0.14, abs=0.005), 0]
    assert NWDOverlaps2D(6.0)(box, box + 6).item() > 0.2
