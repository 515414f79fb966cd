"""Our tools with MMDetection's detectors with queries: Deformable DETR, DINO, DDQ.

Their attention is one of mmcv's compiled ops on a GPU; on a CPU mmcv computes it with PyTorch.
"""

import json
import os
import re
import subprocess
from copy import deepcopy
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config

from abc_mmdet.datasets.synthetic.coco_export import Recipe, prepare
from abc_mmdet.deployment import export_onnx
from abc_mmdet.errors import UserError
from abc_mmdet.inference import Detector
from mmdet.registry import MODELS

from ...warm_python import python
from .query_detectors import KINDS, query_detector

ROOT = Path(__file__).parents[3]
CLASSES = ('car', 'van', 'person')
PIPELINE = [
    dict(type='LoadImageFromFile'),
    dict(type='Resize', scale=(96, 64), keep_ratio=True),
    dict(type='PackDetInputs'),
]
IMAGE = np.random.default_rng(0).integers(0, 256, (64, 96, 3), np.uint8)


@pytest.fixture(scope='module', params=KINDS)
def files(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Config, Path]:
    """An experiment and random weights for it."""
    model = query_detector(request.param, len(CLASSES))
    torch.manual_seed(0)
    detector = MODELS.build(deepcopy(model))  # MMDetection writes into it
    for branch in detector.bbox_head.cls_branches:  # in place of a probability of 0.01
        torch.nn.init.normal_(branch.bias)
    path = tmp_path_factory.mktemp(request.param) / 'weights.pth'
    torch.save(dict(state_dict=detector.state_dict(), meta={}), path)
    dataset = dict(
        type='CocoDataset', metainfo=dict(classes=CLASSES), pipeline=PIPELINE, ann_file='none.json'
    )
    return Config(dict(model=model, test_dataloader=dict(dataset=dataset))), path


def test_detection_in_slices(files: tuple[Config, Path]) -> None:
    """An image of one slice is detected in as a whole; twice as large, it has four."""
    whole = Detector(*files, 'cpu')(IMAGE)
    assert len(whole) == 20, 'as many as there are queries'
    one = Detector(*files, 'cpu', dict(slice_size=(96, 64)))(IMAGE)
    assert np.allclose(one.boxes, whole.boxes, atol=1e-3)
    assert np.allclose(one.scores, whole.scores, atol=1e-5)
    tiled = np.tile(IMAGE, (2, 2, 1))
    settings = dict(slice_size=(96, 64), overlap=0.0, full_image=False)
    four = Detector(*files, 'cpu', settings)(tiled)
    corners = four.boxes[:, :2].max(axis=0)
    assert len(four) > 20 and (corners > [96, 64]).all(), 'in all four'


def test_export_is_refused(files: tuple[Config, Path]) -> None:
    kind = files[0].model.type
    with pytest.raises(UserError, match=f'{kind} cannot be exported: .* single-stage'):
        export_onnx(files[0], str(files[1]))


CONFIG = """
_base_ = '{root}/configs/small/abc_synthetic.py'
model = dict(_delete_=True, **{model})
loader = dict(batch_size=2, num_workers=0, persistent_workers=False)
train_dataloader = dict(loader)
val_dataloader = dict(loader)
test_dataloader = dict(loader)
train_cfg = dict(max_iters=2, val_interval=2)
default_hooks = dict(logger=dict(interval=1))
"""


@pytest.mark.slow
def test_tools(tmp_path: Path) -> None:
    """Check, training, test, report and detection, as processes."""
    prepare(tmp_path / 'data', Recipe(train=4, val=2, width=128, height=96, seed=1))
    classes = json.loads((tmp_path / 'data/annotations/val.json').read_text())['categories']
    model = query_detector('DINO', len(classes))
    text = CONFIG.format(root=ROOT, model=model)
    (tmp_path / 'queries.py').write_text(text)

    options = ['--cfg-options', f'data_root={tmp_path}/data']

    def tool(name: str, *arguments: str) -> str:
        done = subprocess.run(
            [python(), str(ROOT / 'tools' / name), *arguments, *options],
            cwd=tmp_path,
            env={**os.environ, 'PYTHONPATH': str(ROOT)},
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    assert 'pedestrian' in tool('analysis_tools/check_dataset.py', 'queries.py')
    tool('train.py', 'queries.py', '--work-dir=run')
    (log,) = (tmp_path / 'run').glob('*/*.log')
    losses = [float(each) for each in re.findall(r'  loss: ([\d.]+)', log.read_text())]
    assert len(losses) == 2 and np.isfinite(losses).all()
    printed = tool('test.py', 'queries.py', 'run/iter_2.pth', '--work-dir=test', '--out=test/found')
    assert 'result: mAP' in printed and 'small classes' in printed
    found = json.loads((tmp_path / 'test/found.bbox.json').read_text())
    assert len({each['image_id'] for each in found}) == 2
    tool(
        *('analysis_tools/report.py', 'queries.py', '--results', 'queries=test/found.bbox.json'),
        '--out=report.html',
    )
    assert 'queries' in (tmp_path / 'report.html').read_text()
    tool('infer.py', 'queries.py', 'run/iter_2.pth', 'data/val', '--out=drawn', '--score-thr=0')
    assert len(list((tmp_path / 'drawn/images').iterdir())) == 2
