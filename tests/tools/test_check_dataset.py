"""The dataset check as a process: exit codes, report and image."""

import json
import runpy
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from ..custom_dataset.events import frames, record
from ..warm_python import python

ROOT = Path(__file__).parents[2]


def check(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [python(), 'tools/analysis_tools/check_dataset.py', *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True)


def write_data(root: Path) -> None:
    """HIT-UAV's layout, with a box outside its image and one image missing."""
    (root / 'images').mkdir(parents=True)
    (root / 'annotations').mkdir()
    categories = [dict(id=i, name=n) for i, n in enumerate(('Person', 'Vehicle', 'Bicycle'), 1)]
    for number, split in enumerate(('train', 'val')):
        name = f'{split}.png'
        pixels = np.full((82, 102, 3), 100 * number, np.uint8)
        cv2.imwrite(str(root / 'images' / name), pixels)
        image = dict(id=1, file_name=name, width=102, height=82)
        boxes = [
            dict(id=i, image_id=1, category_id=i, bbox=[9 * i, 9, 8, 8], area=64) for i in (1, 2, 3)
        ]
        content = dict(images=[image], annotations=boxes, categories=categories)
        if split == 'val':
            content['images'].append(dict(image, id=2, file_name='gone.png'))
            boxes[0]['bbox'] = [200, 9, 8, 8]
        (root / 'annotations' / f'{split}.json').write_text(json.dumps(content))


def test_problems_are_shown_and_counted(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv('ABC_ABLATION_VARIANT', 'aux_p1_p2')
    write_data(tmp_path / 'data')
    report, image = tmp_path / 'out' / 'report.json', tmp_path / 'out' / 'sizes.png'
    result = check(
        *('configs/ablation_coco/variants.py', '--json', report, '--plot', image),
        *('--cfg-options', f'data_root={tmp_path / "data"}'),
    )
    assert result.returncode == 1, result.stdout + result.stderr
    assert 'bbox [200, 9, 8, 8]' in result.stdout
    assert 'gone.png' in result.stdout
    assert result.stdout.rstrip().endswith('2 problems, 1 warnings')
    found = json.loads(report.read_text())
    assert {f['kind'] for f in found['issues'] if f['level'] == 'problem'} == {
        'outside_image',
        'missing_files',
    }
    assert (found['strides'], found['train_only_strides']) == ([8, 16, 32], [4])
    assert cv2.imread(str(image)).shape[1] == 1000
    assert sorted(p.name for p in (tmp_path / 'out').iterdir()) == ['report.json', 'sizes.png']


def test_event_recordings(tmp_path: Path, monkeypatch, capsys) -> None:
    tool = str(ROOT / 'tools/analysis_tools/check_dataset.py')
    for name in ('train/a', 'val/b'):  # the same recording in both
        record(tmp_path / name, frames())
    report = tmp_path / 'out' / 'report.json'
    arguments = ['configs/small/abc_synthetic_events.py', '--json', str(report)]
    arguments += ['--plot', str(tmp_path / 'out' / 'sizes.png')]
    arguments += ['--cfg-options', f'data_root={tmp_path}']
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(sys, 'argv', [tool, *arguments])
    with pytest.raises(SystemExit) as stop:
        runpy.run_path(tool, run_name='__main__')
    assert stop.value.code == 1
    assert '1 recordings, 3 labelled frames, 6 usable boxes' in capsys.readouterr().out
    found = json.loads(report.read_text())
    problems = [f['kind'] for f in found['issues'] if f['level'] == 'problem']
    assert problems == ['shared_recordings']
    assert cv2.imread(str(tmp_path / 'out' / 'sizes.png')).shape[1] == 1000


def test_a_mistake_ends_in_one_message(tmp_path: Path, monkeypatch, capsys) -> None:
    tool = str(ROOT / 'tools/analysis_tools/check_dataset.py')
    config = str(ROOT / 'configs/small/baseline_3level_hituav.py')
    for arguments, message in (
        (['--cfg-options', f'data_root={tmp_path}/gone'], 'gone/annotations/train.json does not'),
        (['--plot', 'sizes.jpg'], '--plot sizes.jpg: the file name must end in .png.'),
    ):
        monkeypatch.setattr(sys, 'argv', [tool, config, *arguments])
        with pytest.raises(SystemExit) as stop:
            runpy.run_path(tool, run_name='__main__')
        assert stop.value.code == 2
        assert message in capsys.readouterr().err.split('error: ', 1)[1]
