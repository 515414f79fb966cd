"""Our configs under MMDetection's own tools, and the module that starts them."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def mmdet_tool(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, '-m', 'abc_mmdet.mmdet_tool', *map(str, arguments)],
        capture_output=True,
        text=True,
        cwd=ROOT,
    )


def test_print_config() -> None:
    result = mmdet_tool('misc/print_config', 'configs/abc_sod_basic_100k.py')
    assert result.returncode == 0, result.stderr
    assert "type='ABCHead'" in result.stdout


@pytest.mark.parametrize('config', ['abc_train_only_100k', 'baseline_3level_100k'])
def test_get_flops(config: str, tmp_path: Path) -> None:
    options = ('val_dataloader.num_workers=0', 'val_dataloader.persistent_workers=False')
    data = tmp_path / 'data'
    made = subprocess.run(
        [
            *(sys.executable, 'tools/dataset_converters/synthetic_traffic.py', data),
            *('--train=1', '--val=2', '--size=128x96'),
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert made.returncode == 0, made.stderr
    result = mmdet_tool(
        *('analysis_tools/get_flops', f'configs/{config}.py', '--num-images', '1'),
        *('--cfg-options', f'val_dataloader.dataset.data_root={data}', *options),
    )
    assert result.returncode == 0, result.stderr
    # the train-only level is not there at inference: both networks cost the same
    assert 'Flops: 15.' in result.stdout, result.stdout


def test_browse_dataset(tmp_path: Path) -> None:
    data = tmp_path / 'data'
    subprocess.run(
        [
            *(sys.executable, 'tools/dataset_converters/synthetic_traffic.py', data),
            *('--train=2', '--val=1', '--size=128x96'),
        ],
        cwd=ROOT,
        check=True,
    )
    result = mmdet_tool(
        *('analysis_tools/browse_dataset', 'configs/small/abc_synthetic.py'),
        *('--output-dir', tmp_path / 'pictures', '--not-show'),
        *('--cfg-options', f'train_dataloader.dataset.data_root={data}'),
    )
    assert result.returncode == 0, result.stderr
    assert len(list((tmp_path / 'pictures').rglob('*.jpg'))) == 2


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        ([], 'Runs one of'),
        (['no_such_tool'], 'no tools named'),
        (['browse_dataset'], 'has 2 tools'),
    ],
)
def test_wrong_names_list_the_tools(arguments: list[str], message: str) -> None:
    result = mmdet_tool(*arguments)
    assert result.returncode == 2
    assert message in result.stderr
    assert 'Traceback' not in result.stderr
