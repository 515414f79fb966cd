"""A checkpoint that brings a program along, given to the tools as users run them."""

import json
import os
import subprocess
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from ..warm_python import python

ROOT = Path(__file__).parents[2]
IMAGES = 'configs/small/abc_synthetic.py'
EVENTS = 'configs/small/abc_synthetic_events.py'
CLASSES = ('pedestrian', 'car', 'bicycle', 'bus', 'motorbike', 'truck', 'tram', 'wheelchair')


class Program:
    """A pickle that leaves a trace when it is read without care."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple:
        return (os.system, (f'mkdir {self.trace}',))


@pytest.fixture(scope='module')
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data set of one image per split."""
    folder = tmp_path_factory.mktemp('hostile')
    image = dict(id=1, file_name='a.jpg', width=96, height=64)
    box = dict(id=1, image_id=1, category_id=1, bbox=[10, 10, 20, 20], area=400, iscrowd=0)
    content = dict(
        images=[image],
        annotations=[box],
        categories=[dict(id=i, name=name) for i, name in enumerate(CLASSES, 1)],
    )
    for split in ('train', 'val'):
        for name in (split, 'annotations'):
            (folder / 'data' / name).mkdir(parents=True, exist_ok=True)
        (folder / 'data' / 'annotations' / f'{split}.json').write_text(json.dumps(content))
        cv2.imwrite(str(folder / 'data' / split / 'a.jpg'), np.zeros((64, 96, 3), np.uint8))
    program = Program(folder / 'trace')
    torch.save(dict(state_dict=dict(w=torch.ones(1)), meta={}, extra=program), folder / 'evil.pth')
    return folder


TINY = (
    'model.backbone.widen_factor=0.125 model.neck.in_channels=[16,32,64,128] '
    'train_dataloader.num_workers=0 train_dataloader.persistent_workers=False '
    'val_dataloader.num_workers=0 val_dataloader.persistent_workers=False '
    'test_dataloader.num_workers=0 test_dataloader.persistent_workers=False'
)
TOOLS = {
    'resume': f'train.py {IMAGES} --work-dir DIR/w --resume EVIL --cfg-options DATA {TINY}',
    'load_from': f'train.py {IMAGES} --work-dir DIR/w --cfg-options DATA {TINY} load_from=EVIL',
    'init_cfg': f'train.py {IMAGES} --work-dir DIR/w --cfg-options DATA {TINY} '
    'model.backbone.init_cfg.type=Pretrained model.backbone.init_cfg.checkpoint=EVIL',
    'test': f'test.py {IMAGES} EVIL --work-dir DIR/w --cfg-options DATA {TINY}',
    'infer': f'infer.py {IMAGES} EVIL DIR/data/val --out DIR/o --cfg-options {TINY}',
    'slices': f'analysis_tools/show_slices.py {IMAGES} EVIL DIR/data/val/a.jpg DIR/o.png '
    f'--slice 64x64 --cfg-options {TINY}',
    'export': f'deployment/export_onnx.py {IMAGES} EVIL DIR/o.onnx --cfg-options {TINY}',
    'plain': 'model_converters/abc_to_plain.py EVIL DIR/o.pth',
    'mmdet': f'model_converters/to_mmdet.py {IMAGES} EVIL DIR/o --cfg-options {TINY}',
    'rvt': f'model_converters/rvt_to_abc.py EVIL DIR/o.pth --config {EVENTS}',
}
ALWAYS = ('resume', 'infer')


@pytest.mark.parametrize(
    'command',
    [pytest.param(TOOLS[n], id=n, marks=[] if n in ALWAYS else pytest.mark.slow) for n in TOOLS],
)
def test_nothing_is_run(command: str, folder: Path) -> None:
    evil = folder / 'evil.pth'
    command = command.replace('EVIL', str(evil)).replace('DATA', f'data_root={folder}/data')
    arguments = command.replace('DIR', str(folder)).split()
    result = subprocess.run(
        [python(), f'tools/{arguments[0]}', *arguments[1:]],
        **dict(cwd=ROOT, capture_output=True, text=True),
    )
    assert not (folder / 'trace').exists()
    assert result.returncode == 2, result.stdout + result.stderr
    assert 'Traceback' not in result.stderr
    message = result.stderr[result.stderr.index('error:') :]
    assert f'{evil} holds more than weights: it asks for posix.system' in message
    assert '--trust' in message
    assert [path for path in folder.iterdir() if path.name.startswith('o')] == []


@pytest.mark.slow
def test_trust_lets_it(folder: Path) -> None:
    out = folder / 'o.pth'
    tool = 'tools/model_converters/abc_to_plain.py'
    command = [python(), tool, folder / 'evil.pth', out, '--trust']
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    assert (folder / 'trace').exists() and out.exists()
    (folder / 'trace').rmdir()
    out.unlink()
