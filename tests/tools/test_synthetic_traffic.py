"""tools/dataset_converters/synthetic_traffic.py as a process."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from abc_mmdet.datasets.synthetic.coco_export import Recipe, prepare

from ..warm_python import python

TOOL = Path(__file__).parents[2] / 'tools' / 'dataset_converters' / 'synthetic_traffic.py'
ENV = {**os.environ, 'PYTHONPATH': str(TOOL.parents[2]), 'PYTHONWARNINGS': 'ignore'}
TINY = ('--train', '2', '--val', '1', '--size', '96x64')


def run(*args: object) -> subprocess.CompletedProcess[str]:
    command = [python(), str(TOOL), *map(str, args)]
    return subprocess.run(command, env=ENV, capture_output=True, text=True, timeout=600)


def contents(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob('*') if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def test_written_kept_refused(tmp_path: Path) -> None:
    out = tmp_path / 'deep' / 'traffic'
    first = run(out, *TINY, '--seed', 4)
    assert first.returncode == 0, first.stderr
    assert 'written' in first.stdout
    assert [path.name for path in out.parent.iterdir()] == ['traffic'], 'no left-overs'
    stamp = (out / 'train').stat().st_ctime_ns

    prepare(tmp_path / 'here', Recipe(train=2, val=1, width=96, height=64, seed=4))
    assert contents(out) == contents(tmp_path / 'here'), 'two processes, the same bytes'

    again = run(out, *TINY, '--seed', 4)
    assert again.returncode == 0 and 'nothing to do' in again.stdout

    other = run(out, *TINY, '--seed', 5)
    assert other.returncode == 2
    assert '--overwrite' in other.stderr and 'Traceback' not in other.stderr
    assert (out / 'train').stat().st_ctime_ns == stamp


def test_bad_arguments(tmp_path: Path) -> None:
    for args, words in ((('--size', '320x'), '320x192'), (('--train', '0'), '--train 0')):
        done = run(tmp_path / 'traffic', *args)
        assert done.returncode == 2
        assert words in done.stderr and 'Traceback' not in done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
@pytest.mark.skipif(os.name == 'nt', reason='needs POSIX signals')
@pytest.mark.parametrize('how', [signal.SIGKILL, signal.SIGTERM])
def test_killed_in_the_middle(tmp_path: Path, how: signal.Signals) -> None:
    out = tmp_path / 'traffic'
    command = [sys.executable, str(TOOL), str(out), '--train', '3000', '--size', '96x64']
    with subprocess.Popen(command, env=ENV, stdout=subprocess.DEVNULL) as tool:
        deadline = time.monotonic() + 600
        while not list(tmp_path.glob('.traffic.partial-*/new/train/*.jpg')):
            assert time.monotonic() < deadline and tool.poll() is None
            time.sleep(0.05)
        tool.send_signal(how)
    assert not out.exists()
    if how == signal.SIGTERM:
        assert list(tmp_path.iterdir()) == []

    after = run(out, *TINY)
    assert after.returncode == 0, after.stderr
    assert len(list((out / 'train').iterdir())) == 2
