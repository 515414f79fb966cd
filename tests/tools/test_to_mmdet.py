"""The way out: an experiment in an interpreter that cannot import this package."""

import json
import os
import pickle
import subprocess
import sys
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.dataset import pseudo_collate

from abc_mmdet.apis import load_experiment
from abc_mmdet.datasets.synthetic.coco_export import Recipe, prepare
from abc_mmdet.deployment.mmdet_export import write_mmdet_experiment
from abc_mmdet.errors import UserError
from mmdet.apis import inference_detector, init_detector
from mmdet.registry import DATASETS, METRICS, MODELS

from ..warm_python import python

ROOT = Path(__file__).parents[2]
CONFIG = str(ROOT / 'configs' / 'small' / 'abc_synthetic.py')
TINY = {
    'model.backbone.widen_factor': 0.125,
    'model.neck.in_channels': [16, 32, 64, 128],
    'model.test_cfg.score_thr': 0.0,  # weights are random here
    'test_dataloader.num_workers': 0,
    'test_dataloader.persistent_workers': False,
}
TRAIN_ONLY = {
    'model.neck.num_aux_levels': 1,
    'model.neck.gate_finest': True,
    'model.bbox_head.main_head.strides': [8, 16, 32],
    'model.bbox_head.main_head.loss_bbox.iou_loss': dict(type='NWDBlendLoss'),
    'model.bbox_head.aux_head.train_cfg': dict(
        assigner=dict(type='FastSimOTAAssigner', iou_calculator=dict(type='NWDOverlaps2D'))
    ),
}
FINER = {  # the recipe of finer_levels_100k.py
    'model.backbone.arch_ovewrite': [[64, 128, 3, True, False], [128, 256, 9, True, False]],
    'model.backbone.out_indices': [1, 2],
    'model.neck.in_channels': [16, 32],
    'model.bbox_head.use_auxiliary': False,
    'model.bbox_head.main_head.strides': [4, 8],
    'model.bbox_head.main_head.stacked_convs': 1,
    'model.train_cfg.assigner': dict(type='SizedSimOTAAssigner', max_cells=8),
}
EXPERIMENTS = {'four_levels': {}, 'train_only': TRAIN_ONLY, 'finer': FINER}
KEYS = ('bboxes', 'scores', 'labels')

# Runs where abc_mmdet cannot be imported. Ops come from the file, as mmcv may have none compiled.
WITHOUT_ABC = """
import importlib.util, json, pickle, sys
sys.modules['abc_mmdet'] = None
spec = importlib.util.spec_from_file_location('ops', sys.argv[1])
ops = importlib.util.module_from_spec(spec)
spec.loader.exec_module(ops)
ops.install()
import torch
from mmengine.config import Config
from mmengine.runner import Runner
from mmdet.apis import inference_detector, init_detector
from mmdet.testing import demo_mm_inputs
torch.set_num_threads(1)
for folder in sys.argv[3:]:
    config, checkpoint = f'{folder}/abc_synthetic.py', f'{folder}/weights.pth'
    model = init_detector(config, checkpoint, device='cpu')
    images = json.loads(sys.argv[2])
    found = [inference_detector(model, p).pred_instances.numpy().to_dict() for p in images]
    batch = demo_mm_inputs(2, [(3, 96, 128)] * 2, num_items=[3, 0], num_classes=8)
    losses = model.train()(**model.data_preprocessor(batch, True), mode='loss')
    assert sum(losses.values()).isfinite()
    config = Config.fromfile(config)
    config.merge_from_dict(dict(work_dir=f'{folder}/work', load_from=checkpoint))
    metrics = Runner.from_cfg(config).test()
    with open(f'{folder}/found.pkl', 'wb') as file:
        pickle.dump((found, metrics), file)
assert sys.modules['abc_mmdet'] is None
assert not any(name.startswith('abc_mmdet.') for name in sys.modules)
"""


def options_text(options: dict) -> list[str]:
    return [f'{key}={value}' for key, value in options.items()]


@pytest.fixture(scope='module')
def data(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp('data') / 'traffic'
    prepare(root, Recipe(train=2, val=3, width=128, height=96, seed=5), False)
    return root


@pytest.fixture(scope='module')
def converted(data: Path, tmp_path_factory) -> dict[str, tuple]:
    """Per experiment: its folder, our detections per image, and what computes our metrics."""
    images = sorted(map(str, (data / 'val').glob('*.jpg')))
    results = {}
    for name, options in EXPERIMENTS.items():
        folder = tmp_path_factory.mktemp(name)
        options = {**TINY, **options, 'data_root': str(data)}
        options['test_dataloader.dataset.ann_file'] = f'annotations/{name}.json'
        options['test_evaluator.ann_file'] = str(data / 'annotations' / f'{name}.json')
        config = load_experiment(CONFIG, options)
        torch.manual_seed(3)
        model = MODELS.build(config.model)
        model.init_weights()
        checkpoint = folder / 'run' / 'weights.pth'
        checkpoint.parent.mkdir()
        meta = dict(dataset_meta=dict(classes=config.classes), iter=7, seed=0)
        torch.save(dict(state_dict=model.state_dict(), meta=meta), checkpoint)

        model = init_detector(config, str(checkpoint), device='cpu')
        found = [inference_detector(model, image).pred_instances for image in images]
        annotate(data, name, images, found)
        if name == 'four_levels':
            command = ['tools/model_converters/to_mmdet.py', CONFIG, str(checkpoint), str(folder)]
            result = subprocess.run(
                [python(), *command, '--cfg-options', *options_text(options)],
                **dict(cwd=ROOT, capture_output=True, text=True),
            )
            assert result.returncode == 0, result.stderr
            assert 'model.bbox_head: ABCHead -> YOLOXHead' in result.stdout
            assert f'{folder}/abc_synthetic.py: gives the same outputs' in result.stdout
        else:
            write_mmdet_experiment(config, str(checkpoint), str(folder))
        detections = [each.numpy().to_dict() for each in found]
        results[name] = folder, detections, partial(metrics, config, model)
    return results


@pytest.fixture(scope='module')
def found_without_abc(data: Path, converted: dict) -> dict[str, tuple]:
    """Per experiment: detections and metrics of MMDetection alone."""
    images = sorted(map(str, (data / 'val').glob('*.jpg')))
    folders = {name: folder for name, (folder, *_) in converted.items()}
    ops = str(ROOT / 'abc_mmdet' / 'utils' / 'mmcv_ops.py')
    result = subprocess.run(
        [sys.executable, '-c', WITHOUT_ABC, ops, json.dumps(images), *map(str, folders.values())],
        **dict(cwd=data, capture_output=True, text=True, env={**os.environ, 'PYTHONPATH': ''}),
    )
    assert result.returncode == 0, result.stdout[-2000:] + result.stderr[-4000:]
    return {n: pickle.loads((f / 'found.pkl').read_bytes()) for n, f in folders.items()}


def annotate(data: Path, name: str, images: list[str], found: list) -> None:
    """Ground truth that random weights meet in part: of their detections, some of them moved."""
    content = json.loads((data / 'annotations' / 'val.json').read_text())
    ids = {image['file_name']: image['id'] for image in content['images']}
    content['annotations'] = []
    for path, detections in zip(images, found, strict=True):
        for i, (box, label) in enumerate(
            zip(detections.bboxes[:15:3].tolist(), detections.labels[:15:3], strict=True)
        ):
            x, y, w, h = box[0] + 2 * (i % 2), box[1], box[2] - box[0], box[3] - box[1]
            content['annotations'].append(
                dict(
                    id=len(content['annotations']) + 1,
                    image_id=ids[Path(path).name],
                    category_id=content['categories'][label]['id'],
                    bbox=[x, y, w, h],
                    area=w * h,
                    iscrowd=0,
                )
            )
    (data / 'annotations' / f'{name}.json').write_text(json.dumps(content))


def metrics(config: Config, model: torch.nn.Module) -> dict[str, float]:
    dataset, metric = (
        DATASETS.build(config.test_dataloader.dataset),
        METRICS.build(config.test_evaluator),
    )
    metric.dataset_meta = dataset.metainfo
    for i in range(len(dataset)):
        batch = pseudo_collate([dataset[i]])
        with torch.no_grad():
            metric.process(batch, [sample.to_dict() for sample in model.test_step(batch)])
    return metric.evaluate(len(dataset))


@pytest.mark.slow
@pytest.mark.parametrize('name', EXPERIMENTS)
def test_plain_mmdetection_finds_the_same_to_the_last_bit(
    name: str, converted: dict, found_without_abc: dict
) -> None:
    _, ours, our_metrics = converted[name]
    theirs, their_metrics = found_without_abc[name]
    assert len(ours) == len(theirs) == 3
    for a, b in zip(ours, theirs, strict=True):
        assert len(a['scores']) > 10
        for key in KEYS:
            assert np.array_equal(a[key], b[key])
    # Not the same figures: ours are of boxes cut at the border of the image
    for found in (our_metrics(), their_metrics):
        assert 0.05 < found['coco/bbox_mAP'] < 1


@pytest.mark.parametrize('name', EXPERIMENTS)
def test_what_is_written(name: str, converted: dict) -> None:
    folder, *_ = converted[name]
    loaded = torch.load(folder / 'weights.pth')
    assert loaded['meta']['iter'] == 7
    assert len(loaded['meta']['dataset_meta']['classes']) == 8
    plain = MODELS.build(Config.fromfile(folder / 'abc_synthetic.py').model)
    plain.load_state_dict(loaded['state_dict'])  # strict
    written = {path.suffix for path in folder.iterdir() if path.is_file()}
    assert written - {'.pkl'} == {'.py', '.pth'}  # one of found_without_abc


def test_level_that_a_backbone_normalises_for_training_only(tmp_path: Path) -> None:
    """MMPreTrain's ConvNeXt has a norm per output; that of the finest goes with it."""
    options = {
        'model.backbone.arch': 'atto',
        'model.neck.num_aux_levels': 1,
        'model.neck.in_channels': [40, 80, 160, 320],
        'model.bbox_head.main_head.strides': [8, 16, 32],
    }
    config = load_experiment(str(ROOT / 'configs/frames/abc_convnext_tiny_100k.py'), options)
    model = MODELS.build(config.model)
    torch.save(dict(state_dict=model.state_dict()), tmp_path / 'weights.pth')
    written = write_mmdet_experiment(config, str(tmp_path / 'weights.pth'), str(tmp_path / 'out'))
    names = set(torch.load(written.checkpoint)['state_dict'])
    assert 'backbone.norm1.weight' in names
    assert 'backbone.norm0.weight' not in names


def test_checkpoint_of_another_model_and_own_folder_are_refused(data: Path, tmp_path: Path) -> None:
    config = load_experiment(CONFIG, {**TINY, 'data_root': str(data)})
    model = MODELS.build(config.model)
    state = model.state_dict()
    first, *_ = [name for name in state if name.startswith('bbox_head.main_head')]
    for wrong in (torch.zeros(3), None):
        other = {k: v for k, v in {**state, first: wrong}.items() if v is not None}
        torch.save(dict(state_dict=other), tmp_path / 'weights.pth')
        with pytest.raises(UserError, match='does not fit the config: 1 tensors') as error:
            write_mmdet_experiment(config, str(tmp_path / 'weights.pth'), str(tmp_path / 'out'))
        assert first in str(error.value)
    assert not (tmp_path / 'out').exists()
    torch.save(dict(state_dict=state), tmp_path / 'weights.pth')
    with pytest.raises(UserError, match='is read: it would be replaced'):
        write_mmdet_experiment(config, str(tmp_path / 'weights.pth'), str(tmp_path))


def test_mistakes_end_in_one_message(tmp_path: Path) -> None:
    torch.save(dict(state_dict={}), tmp_path / 'events.pth')
    tool, config = 'tools/model_converters/to_mmdet.py', 'configs/abc_sod_basic_100k.py'
    result = subprocess.run(
        [python(), tool, config, str(tmp_path / 'events.pth'), str(tmp_path / 'out')],
        **dict(cwd=ROOT, capture_output=True, text=True),
    )
    assert result.returncode == 2
    assert 'Traceback' not in result.stderr
    assert 'model.backbone: MaxViTRNN' in result.stderr
    assert not (tmp_path / 'out').exists()
