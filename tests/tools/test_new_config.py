"""A mistake in the command ends in one message; what works is in test_train_on_my_data_doc.py."""

import json
import os
import runpy
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from mmengine.config import Config

from ..warm_python import python

ROOT = Path(__file__).parents[2]
TOOL = str(Path(__file__).parents[2] / 'tools/new_config.py')


def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *options: str) -> str:
    """The message of a command that has to fail."""
    monkeypatch.setattr(sys, 'argv', [TOOL, *options])
    with pytest.raises(SystemExit) as stop:
        runpy.run_path(TOOL, run_name='__main__')
    assert stop.value.code == 2
    return capsys.readouterr().err.split('error: ', 1)[1]


def test_mistakes_end_in_one_message(tmp_path: Path, monkeypatch, capsys) -> None:
    image = dict(id=1, file_name='gone.png', width=9, height=9)
    box = dict(id=1, image_id=1, category_id=1, bbox=[1, 1, 5, 5], area=25)
    content = dict(images=[image], annotations=[box], categories=[dict(id=1, name='car')])
    (tmp_path / 'train.json').write_text(json.dumps(content))
    files = [f'--{split}={tmp_path}/train.json' for split in ('train', 'val')]
    given = [*files, f'--images={tmp_path}', f'--out={tmp_path}/mine.py']
    message = run(monkeypatch, capsys, *given)
    assert message.startswith('The data is not ready for training.')
    assert f'{tmp_path}/gone.png' in message
    message = run(monkeypatch, capsys, *given, f'--val={tmp_path}/gone.json')
    assert 'gone.json' in message
    message = run(monkeypatch, capsys, *given, '--small-classes=car', '--small-by-size')
    assert 'not allowed with argument' in message
    assert [p.name for p in tmp_path.iterdir()] == ['train.json']


def test_validation_images_are_taken_from_the_training_images(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    images, boxes = [], []
    for i in range(10):
        name = f'{"abcde"[i // 2]}/{i}.png'
        (tmp_path / name).parent.mkdir(exist_ok=True)
        cv2.imwrite(str(tmp_path / name), np.full((64, 64, 3), 20 * i, np.uint8))
        images.append(dict(id=i, file_name=name, width=64, height=64))
        boxes.append(dict(id=i, image_id=i, category_id=1, bbox=[9, 9, 20, 20], area=400))
    content = dict(images=images, annotations=boxes, categories=[dict(id=1, name='car')])
    (tmp_path / 'all.json').write_text(json.dumps(content))
    out = tmp_path / 'mine.py'
    given = [f'--train={tmp_path}/all.json', '--val-share=0.2', f'--images={tmp_path}']
    monkeypatch.setattr(
        sys, 'argv', ['x', *given, f'--out={out}', '--weights=none', '--network=nano']
    )
    runpy.run_path(str(TOOL), run_name='__main__')
    assert '2 of 10 images, whole folders' in capsys.readouterr().out
    config = Config.fromfile(out)
    root = Path(config.data_root)
    files = [
        json.loads((root / config[f'{name}_dataloader'].dataset.ann_file).read_text())
        for name in ('train', 'val')
    ]
    assert [len(file['images']) for file in files] == [8, 2]
    assert run(monkeypatch, capsys, *given, f'--out={out}').startswith(f'{out} exists')
    (tmp_path / 'a' / '0.png').unlink()
    run(monkeypatch, capsys, *given, f'--out={tmp_path}/other.py', '--weights=none')
    assert not list(tmp_path.glob('other*')), 'nothing is written if the data is not ready'


def yolo(root: Path, splits: tuple[str, ...]) -> None:
    """A data set with a car in each of six images of a split, and one image of background."""
    (root / 'data.yaml').parent.mkdir()
    entries = ''.join(f'{split}: images/{split}\n' for split in splits)
    (root / 'data.yaml').write_text(f'{entries}names: [person, car]\n')
    for k, split in enumerate(splits):
        for folder in ('images', 'labels'):
            (root / folder / split).mkdir(parents=True)
        for i in range(7):
            path = root / 'images' / split / f'{i}.png'
            cv2.imwrite(str(path), np.full((64, 96, 3), 20 * i + 7 * k, np.uint8))
            if i:
                label = f'1 0.5 0.25 {0.1 + 0.01 * i} 0.25\n'
                (root / 'labels' / split / f'{i}.txt').write_text(label)


def process(tool: str, folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [python(), str(ROOT / 'tools' / tool), *options],
        cwd=folder,
        env={**os.environ, 'PYTHONPATH': str(ROOT)},
        capture_output=True,
        text=True,
    )


def test_a_folder_of_yolo_becomes_a_config(tmp_path: Path) -> None:
    yolo(tmp_path / 'cars', ('train', 'val', 'test'))
    options = ('cars', '--out=mine.py', '--weights=none', '--network=narrow')
    done = process('new_config.py', tmp_path, *options)
    assert done.returncode == 0, done.stderr
    assert 'converted: YOLO, 2 classes: person, car\n' in done.stdout
    assert 'train: 7 images, 1 of them without an object, 6 boxes\n' in done.stdout
    assert 'not used: test\n' in done.stdout
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        'cars',
        'mine.py',
        'mine_train.json',
        'mine_val.json',
    ]
    config = Config.fromfile(tmp_path / 'mine.py')
    dataset = config.val_dataloader.dataset
    assert config.classes == ('car',)
    file = json.loads((tmp_path / config.data_root / dataset.ann_file).read_text())
    assert file['images'][1]['file_name'] == 'images/val/1.png'
    assert file['annotations'][0]['bbox'] == pytest.approx([48 - 5.28, 8, 10.56, 16])
    image = tmp_path / config.data_root / dataset.data_prefix.img / file['images'][1]['file_name']
    assert image.is_file()
    again = process('new_config.py', tmp_path, *options)
    assert again.returncode == 2 and 'mine.py exists' in again.stderr


def test_a_folder_without_validation(tmp_path: Path, monkeypatch, capsys) -> None:
    yolo(tmp_path / 'cars', ('train',))
    given = [f'{tmp_path}/cars', f'--out={tmp_path}/mine.py', '--weights=none', '--network=narrow']
    message = run(monkeypatch, capsys, *given)
    assert 'no split for validation, only train: add --val-share 0.2' in message
    message = run(monkeypatch, capsys, *given, '--train=x.json')
    assert 'give DATA or COCO files, not both: --train' in message
    message = run(monkeypatch, capsys, '--format=yolo', '--train=x', '--val=x', '--images=x')
    assert '--format and --converted are about DATA' in message
    assert [p.name for p in tmp_path.iterdir()] == ['cars']
    into = f'--converted={tmp_path}/coco'
    monkeypatch.setattr(sys, 'argv', ['x', *given, '--val-share=0.3', into])
    runpy.run_path(TOOL, run_name='__main__')
    capsys.readouterr()
    files = ['coco/all.json', 'mine_train.json', 'mine_val.json']
    sizes = [len(json.loads((tmp_path / name).read_text())['images']) for name in files]
    assert sizes == [7, 5, 2]
    (tmp_path / 'cars/labels/train/1.txt').write_text('1 2 3 4 5\n')
    message = run(monkeypatch, capsys, *given, '--val-share=0.3', into, '--overwrite')
    assert 'labels/train/1.txt:1: 1 2 3 4 5' in message
    assert (tmp_path / 'mine.py').is_file()


def test_to_coco(tmp_path: Path) -> None:
    yolo(tmp_path / 'cars', ('train', 'val'))
    tool = 'dataset_converters/to_coco.py'
    done = process(tool, tmp_path, 'cars', 'cars/coco')
    assert done.returncode == 0, done.stderr
    assert 'written: cars/coco/train.json, cars/coco/val.json' in done.stdout
    assert '--images=cars --train=cars/coco/train.json --val=cars/coco/val.json' in done.stdout
    again = process(tool, tmp_path, 'cars', 'cars/coco', '--overwrite')
    assert again.returncode == 0, 'what was converted is no second format'
    again = process(tool, tmp_path, 'cars', 'cars/coco')
    assert again.returncode == 2 and 'cars/coco/train.json exists' in again.stderr
    (tmp_path / 'cars/labels/val/2.txt').write_text('x\n')
    failed = process(tool, tmp_path, 'cars', 'other')
    assert failed.returncode == 2 and 'labels/val/2.txt:1: x' in failed.stderr
    assert 'Traceback' not in failed.stderr and not (tmp_path / 'other').exists()
