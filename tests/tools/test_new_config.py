"""A mistake in the command ends in one message; what works is in test_train_on_my_data_doc.py."""

import json
import runpy
import sys
from pathlib import Path

import pytest

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
