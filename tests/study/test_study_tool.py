"""tools/analysis_tools/study.py with runs that train: killed, continued, never repeated."""

import fcntl
import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ..warm_python import python

ROOT = Path(__file__).parents[2]
TOOL = ROOT / 'tools/analysis_tools/study.py'


def command(ablation: Path, folder: Path, *options: str) -> list[str]:
    places = {
        '--ablation': ablation,
        '--results': folder / 'results',
        '--work-dir': folder / 'work',
        '--document': folder / 'results.md',
        '--readme': folder / 'README.md',
    }
    flat = [str(part) for option in places.items() for part in option]
    return [str(TOOL), *flat, '--jobs=1', '--seeds=0', *options]


def study(
    ablation: Path, folder: Path, *options: str, program: str = sys.executable
) -> subprocess.CompletedProcess[str]:
    words = [program, '-W', 'ignore', *command(ablation, folder, *options)]
    return subprocess.run(words, capture_output=True, text=True)


def wait_for(condition, process: subprocess.Popen | None = None) -> None:
    deadline = time.monotonic() + 300
    while not condition():
        assert time.monotonic() < deadline
        assert process is None or process.poll() is None
        time.sleep(0.02)


def lock_is_free(folder: Path) -> bool:
    with open(folder / 'lock') as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
    return True


@pytest.mark.slow
def test_killed_continued_reported_never_repeated(tiny_ablation: Path, tmp_path: Path) -> None:
    work = tmp_path / 'work/ablation_cpu'
    words = [sys.executable, '-W', 'ignore', *command(tiny_ablation, tmp_path)]
    with subprocess.Popen(words, stdout=subprocess.DEVNULL) as process:
        baseline = work / 'baseline_seed0'
        wait_for(lambda: list(baseline.glob('iter_*.pth')), process)
        process.send_signal(signal.SIGKILL)
    wait_for(lambda: lock_is_free(baseline))
    assert not (tmp_path / 'results.md').exists()

    # Seconds that do for no run: it stops in time, and says that there is more to do
    began = time.monotonic()
    paused = study(tiny_ablation, tmp_path, '--time-limit=12')
    assert paused.returncode == 3, paused.stdout + paused.stderr
    assert time.monotonic() - began < 60, 'the limit, and a machine with other work'

    ended = study(tiny_ablation, tmp_path)
    assert ended.returncode == 1, ended.stdout + ended.stderr
    assert 'wrong_seed0: failed: UserError' in ended.stdout and "'typo'" in ended.stdout
    assert 'resumed epoch: 0, iter:' in (baseline / 'log.txt').read_text()
    results = {
        name: tmp_path / f'results/ablation_cpu/{name}_seed0.json' for name in ('baseline', 'abc')
    }
    times = {name: path.stat().st_mtime_ns for name, path in results.items()}
    result = json.loads(results['abc'].read_text())
    assert result['seed'] == 0 and result['title'] == 'ABC'
    assert result['curves']['iteration'] == [1, 2, 3, 4, 5, 6]
    assert results['abc'].stat().st_size < 30_000
    document = (tmp_path / 'results.md').read_text()
    assert '| main head alone | 1 |' in document and '| ABC | 1 |' in document
    assert 'wrong, seed 0, failed' in document

    again = study(tiny_ablation, tmp_path)
    assert again.returncode == 1 and 'started' not in again.stdout
    assert {name: path.stat().st_mtime_ns for name, path in results.items()} == times
    assert (tmp_path / 'results.md').read_text() == document

    listed = study(tiny_ablation, tmp_path, '--list')
    states = dict(line.split(maxsplit=1) for line in listed.stdout.splitlines()[-3:])
    assert states['baseline_seed0'] == states['abc_seed0'] == 'done'
    assert states['wrong_seed0'].startswith('failed: UserError')

    compared = study(tiny_ablation, tmp_path, '--against', 'abc', '--variants', 'baseline')
    assert compared.returncode == 0 and ' to abc |' in compared.stdout.splitlines()[0]
    assert len(compared.stdout.splitlines()) == 4 and ' - |' in compared.stdout.splitlines()[3]
    assert (tmp_path / 'results.md').read_text() == document


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (['--redo', 'nope'], '--redo nope'),
        (['--jobs=0'], '--jobs 0'),
        (['--against', 'abc'], '--against abc: no run'),
        (['--export-config', 'abd'], 'variant abd: the table has'),
    ],
)
def test_mistakes_end_in_one_message(
    tiny_ablation: Path, tmp_path: Path, options: list[str], message: str
) -> None:
    result = study(tiny_ablation, tmp_path, *options, program=python())
    assert result.returncode == 2
    assert message in result.stderr and 'Traceback' not in result.stderr
    assert list(tmp_path.iterdir()) == []
