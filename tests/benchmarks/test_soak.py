"""The verdict of the soak on made-up figures, and a short soak of the real thing."""

import json
import subprocess
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest

from abc_mmdet.datasets.synthetic.coco_export import Recipe, prepare

ROOT = Path(__file__).parents[2]
SOAK = ROOT / 'benchmarks/soak.py'


@pytest.fixture(scope='module')
def soak():
    spec = spec_from_file_location('soak', SOAK)
    module = sys.modules['soak'] = module_from_spec(spec)  # where dataclasses look for it
    spec.loader.exec_module(module)
    return module


def rows(soak, **per_round: list[float]) -> list[dict[str, float]]:
    """Rounds of a training that does not change, but for the figures named here."""
    still = dict(main_rss=500.0, tree_rss=700.0, open_files=70, processes=3)
    length = len(next(iter(per_round.values())))
    return [
        soak.summary([soak.Sample(**still | {k: v[i] for k, v in per_round.items()})] * 5)
        for i in range(length)
    ]


def test_what_grows_is_seen_once_it_is_warm(soak) -> None:
    leak = rows(soak, main_rss=[500 + 10 * i for i in range(15)])
    assert soak.judge(leak, warm_up=2)['main_rss'] == pytest.approx(630 / 530 - 1)
    warm = rows(soak, main_rss=[300, 450, *[500] * 8], open_files=[40, 70, 70, 70, *range(71, 77)])
    growth = soak.judge(warm, warm_up=2)
    assert growth == dict(main_rss=0, tree_rss=0, open_files=5, processes=0)


def test_files_that_come_and_go_are_no_growth(soak) -> None:
    turns = rows(soak, open_files=[117, *[68, 70] * 7])
    assert soak.judge(turns, warm_up=2)['open_files'] == 0


def test_workers_that_start_or_end_are_no_change(soak) -> None:
    samples = [soak.Sample(500.0, 700.0, 70, 3)] * 2 + [soak.Sample(400.0, 400.0, 7, 1)] * 9
    row = soak.summary(samples)
    assert (row['tree_rss'], row['open_files'], row['samples']) == (700.0, 70, 2)


def test_too_short_a_run_is_refused(soak) -> None:
    with pytest.raises(SystemExit, match='--iterations'):
        soak.judge(rows(soak, main_rss=[1, 2, 3]), warm_up=2)


@pytest.mark.slow
def test_a_short_soak(tmp_path: Path) -> None:
    data = tmp_path / 'data'
    prepare(data, Recipe(train=8, val=4, width=128, height=96))
    command = [sys.executable, SOAK, '--iterations=120', '--every=10', '--seconds=0.1']
    command += ['--work-dir', tmp_path / 'work', '--json', tmp_path / 'soak.json', '--cfg-options']
    command += [f'data_root={data}', 'model.backbone.widen_factor=0.125']
    command += ['model.neck.in_channels=[16,32,64,128]', 'train_dataloader.batch_size=2']
    done = subprocess.run([*map(str, command)], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.strip().endswith('0 left behind: passed')
    figures = json.loads((tmp_path / 'soak.json').read_text())
    assert [row['until'] for row in figures['rounds']] == list(range(10, 121, 10))
    assert figures['processes_seen'] == 3
    assert figures['rounds'][-1]['main_rss'] > 100, 'MB: torch is loaded'
