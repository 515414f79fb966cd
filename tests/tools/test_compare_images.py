"""The tool that draws what one result finds and another does not."""

import json
import os
import subprocess
from pathlib import Path

import cv2

from abc_mmdet.datasets.synthetic.coco_export import Recipe, prepare

from ..warm_python import python

ROOT = Path(__file__).parents[2]
TOOL = str(ROOT / 'tools' / 'analysis_tools' / 'compare_images.py')
CONFIG = str(ROOT / 'configs' / 'small' / 'abc_synthetic.py')


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess:
    command = [python(), TOOL, CONFIG, 'first.bbox.json', 'second.bbox.json', *arguments]
    return subprocess.run(
        [*command, '--cfg-options', 'data_root=data'],
        cwd=folder,
        env=dict(os.environ, PYTHONPATH=str(ROOT)),
        capture_output=True,
        text=True,
    )


def test_image_and_mistakes(tmp_path: Path) -> None:
    prepare(tmp_path / 'data', Recipe(train=1, val=3, width=192, height=128, seed=3))
    content = json.loads((tmp_path / 'data' / 'annotations' / 'val.json').read_text())
    perfect = [
        dict(image_id=a['image_id'], category_id=a['category_id'], bbox=a['bbox'], score=0.9)
        for a in content['annotations']
    ]
    (tmp_path / 'second.bbox.json').write_text(json.dumps(perfect))
    (tmp_path / 'first.bbox.json').write_text(json.dumps(perfect[: len(perfect) // 2]))
    done = run(tmp_path, '--out', 'image.jpg', '--names', 'before', 'after', '--area', 'all')
    assert done.returncode == 0, done.stderr
    assert f'and {len(perfect)} of {len(perfect)} objects' in done.stdout
    assert cv2.imread(str(tmp_path / 'image.jpg')).shape == (128 + 18, 2 * 192 + 6, 3)
    for arguments, words in (
        (('--out', 'image.txt'), 'ends in .jpg or .png'),
        (('--out', 'second.bbox.json'), '.jpg or .png'),
    ):
        failed = run(tmp_path, *arguments)
        assert failed.returncode == 2 and words in failed.stderr
        assert 'Traceback' not in failed.stderr
    (tmp_path / 'second.bbox.json').write_text(json.dumps(perfect[:1]))
    failed = run(tmp_path, '--out', 'other.jpg', '--area', 'all')
    assert failed.returncode == 2 and 'In no image' in failed.stderr
    assert not (tmp_path / 'other.jpg').exists()
