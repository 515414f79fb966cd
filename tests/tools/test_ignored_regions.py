"""Ignored regions from a folder of VisDrone's to the metrics of a test, by the tools alone."""

import json
import os
import re
import subprocess
from pathlib import Path

import cv2
import numpy as np
import pytest
from mmengine.config import Config

from ..warm_python import python

ROOT = Path(__file__).parents[2]
WIDTH, HEIGHT = 128, 96
FIRST = re.compile(r'Iter\(train\) \[ ?1/\d+\].* loss_obj: ([\d.]+)')
SIX = dict(train=6, val=3)


def visdrone(root: Path, with_regions: bool) -> None:
    """Cars on the left; the right half is a car park where nobody has labelled the cars."""
    rng = np.random.default_rng(0)
    for split, number in SIX.items():
        folder = root / f'VisDrone2019-DET-{split}'
        for name in ('images', 'annotations'):
            (folder / name).mkdir(parents=True)
        for i in range(number):
            image = rng.integers(90, 110, (HEIGHT, WIDTH, 3)).astype(np.uint8)
            lines = [f'64,0,64,{HEIGHT},0,0,0,0'] if with_regions else []
            for left in (0, 64):
                x, y = left + int(rng.integers(2, 36)), int(rng.integers(2, 70))
                image[y : y + 16, x : x + 24] = 220
                if not left:
                    lines.append(f'{x},{y},24,16,1,4,0,0')
            cv2.imwrite(str(folder / 'images' / f'{split}_{i}.jpg'), image)
            (folder / 'annotations' / f'{split}_{i}.txt').write_text('\n'.join(lines) + '\n')


def tool(folder: Path, name: str, *arguments: str) -> str:
    """A tool that has to succeed; what it prints."""
    done = subprocess.run(
        [python(), str(ROOT / 'tools' / name), *arguments],
        cwd=folder,
        env={**os.environ, 'PYTHONPATH': str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def train(folder: Path, with_regions: bool) -> float:
    """The loss of objectness in the first iteration, of random weights that are always the same."""
    visdrone(folder / 'data', with_regions)
    tool(
        *(folder, 'new_config.py', 'data', '--out=mine.py', '--weights=none'),
        *('--network=narrow', '--iterations=20'),
    )
    options = [f'{loader}_dataloader.num_workers=0' for loader in ('train', 'val', 'test')]
    options += [
        f'{loader}_dataloader.persistent_workers=False' for loader in ('train', 'val', 'test')
    ]
    tool(
        *(folder, 'train.py', 'mine.py', '--work-dir=run', '--cfg-options'),
        *('randomness.seed=0', 'default_hooks.logger.interval=1', 'train_cfg.max_iters=3'),
        *options,
    )
    (log,) = (folder / 'run').glob('*/*.log')
    return float(FIRST.findall(log.read_text())[0])


@pytest.mark.slow
def test_from_visdrone_to_metrics(tmp_path: Path) -> None:
    """Training says nothing about the regions, and the test is given them, for all ten classes."""
    losses = {}
    for with_regions in (True, False):
        folder = tmp_path / ('with' if with_regions else 'without')
        losses[with_regions] = train(folder, with_regions)
        head = Config.fromfile(folder / 'mine.py').model.bbox_head
        assert ('IgnoreRegion' in str(head)) == with_regions
    # The same images and weights: what costs less is that cells in the region have no target. It
    # is half of an image, and less of a crop with its padding
    assert losses[True] < 0.95 * losses[False]

    folder = tmp_path / 'with'
    printed = tool(
        *(folder, 'test.py', 'mine.py', 'run/iter_3.pth', '--work-dir=test', '--out=found'),
        *('--cfg-options', 'model.test_cfg.score_thr=0.0', 'test_dataloader.num_workers=0'),
        'test_dataloader.persistent_workers=False',
    )
    assert re.search(r'mAP', printed)
    truth = json.loads((folder / 'mine_val.json').read_text())
    crowds = [a for a in truth['annotations'] if a['iscrowd']]
    assert all(a['bbox'] == [64, 0, 64, HEIGHT] for a in crowds)
    assert len({(a['image_id'], a['category_id']) for a in crowds}) == 10 * SIX['val']
