"""docs/big_images.md: its commands run, its Python builds, its config trains a step."""

import pickle
import re
import runpy
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from mmengine.dataset import pseudo_collate

from abc_mmdet.apis import load_experiment
from abc_mmdet.datasets.synthetic.coco_export import Recipe, prepare
from mmdet.registry import DATASETS, MODELS

from .warm_python import python

ROOT = Path(__file__).parents[1]
DOC = ROOT / 'docs/big_images.md'
TEST, SHOW = re.findall(r'```bash\n(.*?)```', DOC.read_text(), re.S)
CALL, NAMED, CONFIG = re.findall(r'```python\n(.*?)```', DOC.read_text(), re.S)
TINY = {
    'model.backbone.widen_factor': 0.125,
    'model.neck.in_channels': [32, 64, 128],
    'model.test_cfg.score_thr': 0.0,  # weights are random here
    'test_dataloader.num_workers': 0,
    'test_dataloader.persistent_workers': False,
}


@pytest.fixture(scope='module')
def folder(tmp_path_factory) -> Path:
    """Data, and weights of a network that has learnt nothing."""
    folder = tmp_path_factory.mktemp('user')
    prepare(folder / 'data', Recipe(train=2, val=2, width=256, height=160, seed=5), False)
    config = load_experiment(str(ROOT / 'configs/frames/finetune_yolox_s.py'), options(folder))
    model = MODELS.build(config.model)
    model.init_weights()
    meta = dict(dataset_meta=dict(classes=config.classes))
    torch.save(dict(state_dict=model.state_dict(), meta=meta), folder / 'weights.pth')
    return folder


def options(folder: Path) -> dict:
    return {**TINY, 'data_root': str(folder / 'data')}


def run(
    command: str, folder: Path, *more: str, size: str = '128x96'
) -> subprocess.CompletedProcess:
    for of_doc, of_test in {
        'python tools': f'{python()} tools',
        'work_dirs/mine/iter_10000.pth': str(folder / 'weights.pth'),
        'work_dirs/mine': str(folder / 'work'),
        'image.jpg': str(next((folder / 'data/val').iterdir())),
        'slices.jpg': str(folder / 'new/slices.png'),
        '640x640': size,
        '\\\n': ' ',
    }.items():
        command = command.replace(of_doc, of_test)
    changes = [f'{key}={value}'.replace(' ', '') for key, value in options(folder).items()]
    words = [*command.split(), *more, '--cfg-options', *changes]
    return subprocess.run(words, cwd=ROOT, capture_output=True, text=True)


def test_the_tool_tests_in_slices(folder: Path) -> None:
    result = run(TEST, folder, '--out', str(folder / 'found.pkl'), '--show-dir', 'images')
    assert result.returncode == 0, result.stderr
    assert 'unexpected key' not in result.stdout + result.stderr
    assert 'missing keys' not in result.stdout + result.stderr
    assert re.search(r'^result: mAP \d\.\d{3},', result.stdout, re.M)
    assert len(list((folder / 'work').rglob('images/*'))) == 2
    for found in pickle.loads((folder / 'found.pkl').read_bytes()):
        boxes = found['pred_instances']['bboxes']
        assert found['img_shape'] == found['ori_shape'] == (160, 256)
        assert boxes[:, 2].max() > 200, 'beyond the first slices'


def test_a_slice_without_size_is_refused(folder: Path) -> None:
    result = run(TEST, folder, size='0x96')
    assert result.returncode == 2
    assert 'slice_size=(0, 96)' in result.stderr and 'Traceback' not in result.stderr


def test_the_tool_shows_slices(folder: Path) -> None:
    result = run(SHOW, folder, '--score-thr', '1')
    assert result.returncode == 0, result.stderr
    assert '6 slices' in result.stdout
    assert [path.name for path in (folder / 'new').iterdir()] == ['slices.png']
    before = cv2.imread(str(next((folder / 'data/val').iterdir())))
    changed = (cv2.imread(str(folder / 'new/slices.png')) != before).any(-1)
    assert changed[:, [103, 127, 128]].mean() > 0.9, 'borders from top to bottom'
    assert not changed[10:60, 10:90].any()


def test_what_show_slices_refuses(folder: Path, tmp_path: Path) -> None:
    other = tmp_path / 'other.pth'
    torch.save(dict(state_dict=dict(weight=torch.zeros(1))), other)
    weights = 'work_dirs/mine/iter_10000.pth'
    result = run(SHOW.replace(weights, str(other)), folder)
    assert result.returncode == 2, 'weights of another network'
    assert 'Traceback' not in result.stderr


def test_options_of_slices_need_slices(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    tool = str(ROOT / 'tools/test.py')
    monkeypatch.setattr(sys, 'argv', [tool, 'config.py', 'weights.pth', '--slice-batch', '4'])
    with pytest.raises(SystemExit, match='2'):
        runpy.run_path(tool, run_name='__main__')
    assert '--slice-batch is of slices: add --slice WxH' in capsys.readouterr().err


def test_the_call_gives_a_detector() -> None:
    names: dict = {}
    exec(CALL.replace("'configs/", f"'{ROOT}/configs/"), names)
    assert MODELS.build(names['config'].model).slice_size == (640, 640)


def test_the_config_that_names_the_detector(folder: Path, tmp_path: Path) -> None:
    path = tmp_path / 'named.py'
    path.write_text(NAMED.replace("'./frames/", f"'{ROOT}/configs/frames/"))
    config = load_experiment(str(path), options(folder))
    model = MODELS.build(config.model)
    assert (model.slice_size, type(model.detector).__name__) == ((640, 640), 'YOLOX')
    sample = DATASETS.build(config.test_dataloader.dataset)[0]
    assert sample['inputs'].shape == (3, 160, 256), 'the size of the file'


def test_the_config_trains(folder: Path, tmp_path: Path) -> None:
    path = tmp_path / 'mine.py'
    path.write_text(CONFIG.replace("'./frames/", f"'{ROOT}/configs/frames/"))
    config = load_experiment(str(path), options(folder))
    np.random.seed(0)
    dataset = DATASETS.build(config.train_dataloader.dataset)
    batch = pseudo_collate([dataset[0], dataset[1]])
    assert batch['inputs'][0].shape == (3, 640, 640)
    model = MODELS.build(config.model).train()
    losses = model(**model.data_preprocessor(batch, True), mode='loss')
    assert model.parse_losses(losses)[0].isfinite()


def test_the_image_is_small() -> None:
    (name,) = re.findall(r'!\[.*\]\((.*?)\)', DOC.read_text())
    assert (DOC.parent / name).stat().st_size < 300_000
