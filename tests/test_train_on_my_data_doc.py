"""Every command of docs/train_on_my_data.md runs, on the data its first command draws."""

import json
import os
import re
import subprocess
from pathlib import Path

import cv2
import pytest

from abc_mmdet.apis import load_experiment
from abc_mmdet.custom_dataset.level_choice import TINY, TWO_CELLS
from abc_mmdet.custom_dataset.networks import NETWORKS
from abc_mmdet.custom_dataset.recipe import SMALL

from .warm_python import python

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / 'docs' / 'train_on_my_data.md').read_text()
BLOCKS = re.findall(r'```bash\n(.*?)```', TEXT, re.S)
SMALL_RUN = (
    'train_cfg.max_iters=3 train_cfg.val_interval=3 default_hooks.checkpoint.interval=3 '
    'train_dataloader.batch_size=2 '
    + ' '.join(
        f'{loader}_dataloader.num_workers=0 {loader}_dataloader.persistent_workers=False'
        for loader in ('train', 'val', 'test')
    )
)


def run(block: str, folder: Path) -> str:
    """Run a block of the page as it stands, in a folder and at the size of a test."""
    options = {
        'convert synthetic-traffic': '--train=6 --val=3 --size=128x96',
        'new-config': '--network=narrow',  # whose weights need no internet: there are none
        'train': f'--cfg-options {SMALL_RUN}',
        'test': f'--cfg-options {SMALL_RUN}',
    }
    lines = []
    for line in block.replace('\\\n', ' ').strip().splitlines():
        of_test = [
            given for tool, given in options.items() if line.startswith(f'abc-mmdet {tool} ')
        ]
        lines.append(' '.join([line, *of_test]))
    command = 'set -e\n' + '\n'.join(lines)
    result = subprocess.run(
        command.replace('abc-mmdet', f'{python()} -m abc_mmdet'),
        shell=True,
        cwd=folder,
        env={**os.environ, 'PYTHONPATH': str(ROOT)},
        capture_output=True,
        text=True,
        executable='/bin/bash',
    )
    assert result.returncode == 0, f'{command}\n{result.stdout}\n{result.stderr}'
    return result.stdout


@pytest.fixture(scope='module')
def folder(tmp_path_factory) -> Path:
    """The data is drawn and its config written."""
    folder = tmp_path_factory.mktemp('user')
    run(BLOCKS[1], folder)
    run(BLOCKS[0][: BLOCKS[0].index('abc-mmdet train')], folder)
    return folder


def test_the_page_has_its_commands() -> None:
    commands = [re.findall(r'^abc-mmdet ([\w-]+)', block, re.M) for block in BLOCKS]
    assert commands == [['new-config', 'train'], ['convert'], ['check'], ['train', 'test']]


def test_config_is_written(folder: Path) -> None:
    config = load_experiment(str(folder / 'mine.py'))
    used = json.loads((folder / 'data/mine/annotations/train.json').read_text())
    names = [category['name'] for category in used['categories']]
    assert [name for name in names if name in config.classes] == list(config.classes)
    assert config.train_dataloader.dataset.data_prefix.img == 'train/'
    assert config.val_dataloader.dataset.data_prefix.img == 'val/'


def test_doctor_finds_nothing_wrong(folder: Path) -> None:
    output = run(BLOCKS[2], folder)
    assert '0 problems' in output
    assert json.loads((folder / 'work_dirs/mine/report.json').read_text())['problems'] == 0
    assert cv2.imread(str(folder / 'work_dirs/mine/sizes.png')) is not None


@pytest.mark.slow
def test_config_trains_and_is_tested(folder: Path) -> None:
    output = run(BLOCKS[3], folder)
    assert re.search(r'^iter \d+/\d+  loss \d', output, re.M)
    assert re.search(r'^result: mAP \d\.\d{3},', output, re.M)
    (images,) = re.findall(r'^images: (.*)$', output, re.M)
    assert len(list((folder / images).iterdir())) == 3


def test_figures_of_the_page_are_those_of_the_code() -> None:
    gpu, cpu = NETWORKS['s'], NETWORKS['nano']
    for figure in (
        f'median size is below {SMALL:g} px',
        f'90 % of the boxes have {TWO_CELLS:g} px',
        f'nor above {gpu.longest} ({cpu.longest} for a CPU)',
        f'boxes are below {TINY:g} px',
        f'{gpu.passes} passes over the images ({cpu.passes} on a CPU)',
        f'between {gpu.iterations[0]} and 100 000 ({cpu.iterations[0]} and 12 000)',
    ):
        assert figure in TEXT, figure
    assert (gpu.iterations[1], cpu.iterations[1]) == (100_000, 12_000)


def test_links_and_images_exist() -> None:
    for target in re.findall(r'\]\(([\w/.]+)\)', TEXT):
        path = ROOT / 'docs' / target
        assert path.is_file(), target
        assert path.stat().st_size < 300_000
