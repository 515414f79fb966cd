"""Every command of the README runs, with the sizes of a test."""

import re
import subprocess
from pathlib import Path

import pytest

from abc_mmdet.apis import load_experiment
from abc_mmdet.models import NWDBlendLoss
from mmdet.registry import MODELS

from .warm_python import python

ROOT = Path(__file__).parents[1]
README = (ROOT / 'README.md').read_text()
COMMANDS = [
    command.replace('\\\n', ' ')
    for block in re.findall(r'```bash\n(.*?)```', README, re.S)
    for command in re.split(r'(?<!\\)\n', block.strip())
]
NOT_HERE = ('make demo', 'make test', 'pip install')  # run by a person, and by CI
SMALL = (
    'train_cfg.max_iters=2 train_cfg.val_interval=2 default_hooks.checkpoint.interval=2 '
    'train_dataloader.batch_size=1 '
    + ' '.join(
        f'{loader}_dataloader.num_workers=0 {loader}_dataloader.persistent_workers=False'
        for loader in ('train', 'val', 'test')
    )
)


@pytest.fixture(scope='module')
def folder(tmp_path_factory) -> Path:
    """The folder that a user's `data/mine` and `work_dirs/mine` stand for."""
    folder = tmp_path_factory.mktemp('user')
    generator = 'tools/dataset_converters/synthetic_traffic.py'
    options = ('--train=2', '--val=2', '--size=128x96')
    subprocess.run([python(), generator, folder / 'data', *options], cwd=ROOT, check=True)
    return folder


def test_commands_are_found() -> None:
    assert len(COMMANDS) == 7
    assert sum(command.startswith(NOT_HERE) for command in COMMANDS) == 3


@pytest.mark.parametrize(
    'command', [c for c in COMMANDS if not c.startswith(NOT_HERE)], ids=lambda c: c[:40]
)
def test_command_runs(command: str, folder: Path) -> None:
    for of_readme, of_test in {
        'abc-mmdet': f'{python()} -m abc_mmdet',
        'data/mine': str(folder / 'data'),
        'work_dirs/mine': str(folder / 'work'),
        'configs/mine.py': str(folder / 'mine.py'),
    }.items():
        command = command.replace(of_readme, of_test)
    if 'new-config' in command:
        command += ' --network=narrow'  # the others begin with a download
    if ' train ' in command or ' test ' in command:
        command += f' --cfg-options {SMALL}'
    result = subprocess.run(command, shell=True, cwd=ROOT, capture_output=True, text=True)
    assert result.returncode == 0, f'{command}\n{result.stdout}\n{result.stderr}'


def test_config_of_the_readme_loads(tmp_path: Path) -> None:
    (code,) = re.findall(r'```python\n(.*?)```', README, re.S)
    path = tmp_path / 'mine.py'
    path.write_text(code.replace("'./", f"'{ROOT}/configs/"))
    config = load_experiment(str(path))
    head = MODELS.build(config.model.bbox_head)
    assert isinstance(head.loss_bbox, NWDBlendLoss) and head.loss_bbox.loss_weight == 5.0


def test_files_of_the_readme_exist() -> None:
    paths = re.findall(r'`((?:configs|tools|docs|benchmarks)/[\w/.]+)`', README)
    paths += re.findall(r'\]\(((?:docs|configs)/[\w/.]+)\)', README)
    assert paths
    assert [path for path in paths if not (ROOT / path).exists()] == []
