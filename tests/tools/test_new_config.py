"""A mistake in the command ends in one message; what works is in test_train_on_my_data_doc.py."""

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_a_mistake_ends_in_one_message(tmp_path: Path) -> None:
    image = dict(id=1, file_name='gone.png', width=9, height=9)
    box = dict(id=1, image_id=1, category_id=1, bbox=[1, 1, 5, 5], area=25)
    content = dict(images=[image], annotations=[box], categories=[dict(id=1, name='car')])
    (tmp_path / 'train.json').write_text(json.dumps(content))
    out = tmp_path / 'mine.py'
    files = [f'--{split}={tmp_path}/train.json' for split in ('train', 'val')]
    command = [sys.executable, 'tools/new_config.py', *files, f'--images={tmp_path}']
    result = subprocess.run([*command, f'--out={out}'], cwd=ROOT, capture_output=True, text=True)
    assert result.returncode == 2, result.stdout + result.stderr
    assert 'Traceback' not in result.stderr
    message = result.stderr.split('error: ', 1)[1]
    assert message.startswith('The data is not ready for training.')
    assert f'{tmp_path}/gone.png' in message
    assert [p.name for p in tmp_path.iterdir()] == ['train.json']
