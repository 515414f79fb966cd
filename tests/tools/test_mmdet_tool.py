"""Our configs under MMDetection's own tools, and the module that starts them."""

import re
import subprocess
from pathlib import Path

import pytest
from mmengine.analysis import get_model_complexity_info

from abc_mmdet.apis import load_experiment, sliced
from mmdet.registry import MODELS

from ..warm_python import python

ROOT = Path(__file__).parents[2]
TINY = {
    'model.backbone.widen_factor': 0.125,
    'model.backbone.deepen_factor': 0.1,
    'model.neck.in_channels': [16, 32, 64, 128],
}


def mmdet_tool(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [python(), '-m', 'abc_mmdet.mmdet_tool', *map(str, arguments)],
        capture_output=True,
        text=True,
        cwd=ROOT,
    )


@pytest.fixture(scope='module')
def data(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp('data') / 'synthetic'
    generator = 'tools/dataset_converters/synthetic_traffic.py'
    options = ('--train=2', '--val=2', '--size=128x96')
    subprocess.run([python(), generator, root, *options], cwd=ROOT, check=True)
    return root


def test_print_config() -> None:
    result = mmdet_tool('misc/print_config', 'configs/abc_sod_basic_100k.py')
    assert result.returncode == 0, result.stderr
    assert "type='ABCHead'" in result.stdout


def test_get_flops_of_a_train_only_level_are_those_of_the_baseline(data: Path) -> None:
    flops = {}
    for config, channels in (
        ('abc_train_only_100k', '[16,32,64,128]'),
        ('baseline_3level_100k', '[32,64,128]'),
    ):
        result = mmdet_tool(
            *('analysis_tools/get_flops', f'configs/frames/{config}.py', '--num-images', '1'),
            *('--cfg-options', f'val_dataloader.dataset.data_root={data}'),
            *('val_dataloader.num_workers=0', 'val_dataloader.persistent_workers=False'),
            *('model.backbone.widen_factor=0.125', f'model.neck.in_channels={channels}'),
        )
        assert result.returncode == 0, result.stderr
        flops[config] = re.search(r'Flops: [\d.]+G', result.stdout)[0]
    assert flops['abc_train_only_100k'] == flops['baseline_3level_100k']


@pytest.fixture(scope='module')
def sliced_config(random_weights, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A config whose detector looks at slices of 64 x 64, and weights that find something."""
    folder = tmp_path_factory.mktemp('sliced')
    config = load_experiment(str(ROOT / 'configs/small/abc_synthetic.py'), TINY)
    config.model.bbox_head.use_auxiliary = False
    random_weights(config, folder / 'weights.pth')
    config.dump(folder / 'plain.py')
    sliced(config, (64, 64)).dump(folder / 'sliced.py')
    return folder / 'sliced.py', folder / 'weights.pth'


def test_get_flops_of_a_sliced_detector_are_those_of_an_image(data: Path, sliced_config) -> None:
    """Images of 128 x 96 are six slices of 64 x 64 and the whole one as 64 x 48, padded to that."""
    config, _ = sliced_config
    result = mmdet_tool(
        *('analysis_tools/get_flops', config, '--num-images', '1'),
        *('--cfg-options', f'val_dataloader.dataset.data_root={data}'),
        *('val_dataloader.num_workers=0', 'val_dataloader.persistent_workers=False'),
    )
    assert result.returncode == 0, result.stderr
    said = result.stdout + result.stderr
    assert '7 views (slices of 64x64 and whole images) of 1 image(s) of 128x96' in said
    assert 'the cost of an image, not of a slice' in said
    model = MODELS.build(load_experiment(str(config.with_name('plain.py'))).model).eval()
    of_a_slice = get_model_complexity_info(model, (3, 64, 64), show_table=False, show_arch=False)
    number, unit = re.search(r'Flops: ([\d.]+)([MG])', result.stdout).groups()
    flops = float(number) * {'M': 1e6, 'G': 1e9}[unit]
    assert flops == pytest.approx(7 * of_a_slice['flops'], rel=0.01), 'it prints three digits'


def test_mmdetections_test_with_flips_of_a_sliced_detector(
    data: Path, sliced_config, tmp_path: Path
) -> None:
    result = mmdet_tool(
        *('test', *sliced_config, '--tta', '--work-dir', tmp_path, '--show-dir', 'images'),
        *('--cfg-options', f'test_dataloader.dataset.data_root={data}'),
        f'test_evaluator.ann_file={data}/annotations/val.json',
        *('test_dataloader.num_workers=0', 'test_dataloader.persistent_workers=False'),
    )
    assert result.returncode == 0, result.stderr[-2000:]
    assert re.search(r'coco/bbox_mAP: +\d', result.stdout + result.stderr)
    assert len(list(tmp_path.rglob('images/*'))) == 2


def test_browse_dataset(data: Path, tmp_path: Path) -> None:
    result = mmdet_tool(
        *('analysis_tools/browse_dataset', 'configs/small/abc_synthetic.py'),
        *('--output-dir', tmp_path / 'images', '--not-show'),
        *('--cfg-options', f'train_dataloader.dataset.data_root={data}'),
    )
    assert result.returncode == 0, result.stderr
    assert len(list((tmp_path / 'images').rglob('*.jpg'))) == 2


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
