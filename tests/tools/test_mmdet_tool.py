"""Our configs under MMDetection's own tools, and the module that starts them."""

import re
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


@pytest.fixture(scope='module')
def data(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp('data') / 'synthetic'
    generator = 'tools/dataset_converters/synthetic_traffic.py'
    options = ('--train=2', '--val=2', '--size=128x96')
    subprocess.run([sys.executable, generator, root, *options], cwd=ROOT, check=True)
    return root


def test_print_config() -> None:
    result = mmdet_tool('misc/print_config', 'configs/abc_sod_basic_100k.py')
    assert result.returncode == 0, result.stderr
    assert "type='ABCHead'" in result.stdout


def test_get_flops_of_a_train_only_level_are_those_of_the_baseline(data: Path) -> None:
    flops = {}
    for config in ('abc_train_only_100k', 'baseline_3level_100k'):
        result = mmdet_tool(
            *('analysis_tools/get_flops', f'configs/frames/{config}.py', '--num-images', '1'),
            *('--cfg-options', f'val_dataloader.dataset.data_root={data}'),
            *('val_dataloader.num_workers=0', 'val_dataloader.persistent_workers=False'),
        )
        assert result.returncode == 0, result.stderr
        flops[config] = re.search(r'Flops: [\d.]+G', result.stdout)[0]
    assert flops['abc_train_only_100k'] == flops['baseline_3level_100k']


def test_browse_dataset(data: Path, tmp_path: Path) -> None:
    result = mmdet_tool(
        *('analysis_tools/browse_dataset', 'configs/small/abc_synthetic.py'),
        *('--output-dir', tmp_path / 'pictures', '--not-show'),
        *('--cfg-options', f'train_dataloader.dataset.data_root={data}'),
    )
    assert result.returncode == 0, result.stderr
    assert len(list((tmp_path / 'pictures').rglob('*.jpg'))) == 2


def test_benchmark_of_the_data_set(data: Path) -> None:
    result = mmdet_tool(
        *('analysis_tools/benchmark', 'configs/small/abc_synthetic.py'),
        *(
            '--task',
            'dataset',
            '--dataset-type',
            'val',
            '--max-iter',
            '2',
            '--num-warmup',
            '0',
            '--log-interval',
            '1',
        ),
        *('--cfg-options', f'val_dataloader.dataset.data_root={data}'),
    )
    assert result.returncode == 0, result.stderr
    assert 'ms/img' in result.stdout + result.stderr


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
