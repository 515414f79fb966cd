"""A mistake in the command ends in one message; what works is in test_train_on_my_data_doc.py."""

import json
import runpy
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from mmengine.config import Config

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
