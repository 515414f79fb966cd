"""A handful of the fuzzers' cases through the tools, as users run them."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from ..warm_python import python

ROOT = Path(__file__).parents[2]
CONFIG = 'configs/small/abc_synthetic.py'
IMAGES = [dict(id=1, file_name='a.jpg', width=96, height=64)]
FILES = {
    'no_area.json': dict(
        images=IMAGES,
        annotations=[dict(id=1, image_id=1, category_id=1, bbox=[1, 2, 3, 4])],
        categories=[dict(id=1, name='car')],
    ),
    'leaves.json': dict(
        images=[dict(IMAGES[0], file_name='../a.jpg')], annotations=[], categories=[]
    ),
    'list.json': [1, 2],
}
COMMANDS = {
    'train': (
        f'tools/train.py {CONFIG} --work-dir DIR/w --cfg-options '
        'train_dataloader.dataset.data_root=DIR '
        'train_dataloader.dataset.ann_file=no_area.json val_dataloader=None val_cfg=None '
        'val_evaluator=None train_dataloader.dataset.data_prefix.img=',
        r'no_area.json is not ready for use',
    ),
    'test': (
        f'tools/test.py {CONFIG} DIR/no.pth --cfg-options test_dataloader.dataset=5',
        'there is no checkpoint DIR/no.pth',
    ),
    'new_config': (
        'tools/new_config.py --train DIR/leaves.json --val DIR/list.json --images DIR '
        '--out DIR/m.py',
        'list.json has no list of images',
    ),
    'options': (
        f'tools/analysis_tools/check_dataset.py {CONFIG} --cfg-options data_root=[DIR',
        '--cfg-options .data_root=',
    ),
    'events': (
        'tools/analysis_tools/browse_events.py DIR/deep.h5 --out DIR/p',
        'deep.h5 cannot be read',
    ),
}


@pytest.mark.parametrize(
    'name', [n if n == 'train' else pytest.param(n, marks=pytest.mark.slow) for n in COMMANDS]
)
def test_one_message_and_exit_code_2(name: str, tmp_path: Path) -> None:
    for file, content in FILES.items():
        (tmp_path / file).write_text(json.dumps(content))
    (tmp_path / 'deep.h5').write_bytes(b'\x89HDF\r\n\x1a\n' + bytes(range(256)) * 9)
    before = sorted(tmp_path.rglob('*'))
    command, message = (text.replace('DIR', str(tmp_path)) for text in COMMANDS[name])
    result = subprocess.run(
        [python(), *command.split()], cwd=ROOT, capture_output=True, text=True, timeout=300
    )
    assert result.returncode == 2, result.stdout + result.stderr
    assert 'Traceback' not in result.stderr
    assert result.stderr.count('error: ') == 1
    assert message.replace('.data_root', "'data_root") in result.stderr
    assert sorted(tmp_path.rglob('*')) == before
