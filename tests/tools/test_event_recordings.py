"""tools/dataset_converters/event_recordings.py as a process."""

import json
import os
import resource
import runpy
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import h5py
import hdf5plugin
import numpy as np
import psutil
import pytest

from abc_mmdet.datasets.events.rvt_layout import RVTSequence

from ..warm_python import python

ROOT = Path(__file__).parents[2]
TOOL = ROOT / 'tools' / 'dataset_converters' / 'event_recordings.py'
ENV = {**os.environ, 'PYTHONPATH': str(ROOT), 'PYTHONWARNINGS': 'ignore'}
CAMERA_RECORDINGS = Path(os.environ.get('ABC_EVENT_RECORDINGS', ROOT.parent / 'shared/data/events'))
BOX = np.dtype(
    [('t', '<i8'), *[(name, '<f4') for name in 'xywh'], ('class_id', '<u4'), ('track_id', '<u4')]
)


def start(*args: object, program: str = sys.executable, **options: object) -> subprocess.Popen[str]:
    command = [program, str(TOOL), *map(str, args)]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, env=ENV, stdout=pipe, stderr=pipe, text=True, **options)


def run(*args: object, **options: object) -> tuple[int, str, str]:
    program = sys.executable if options else python()
    with start(*args, program=program, **options) as tool:
        out, err = tool.communicate(timeout=900)
    return tool.returncode, out, err


@pytest.fixture
def run_here(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture) -> Iterator:
    """The tool in this process: for runs that convert nothing."""
    handler = signal.getsignal(signal.SIGTERM)

    def run_it(*args: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, 'argv', [str(TOOL), *map(str, args)])
        with pytest.raises(SystemExit) as left:
            runpy.run_path(str(TOOL), run_name='__main__')
        return int(left.value.code or 0), *capsys.readouterr()

    yield run_it
    signal.signal(signal.SIGTERM, handler)


def write_recording(
    stem: Path, seconds: float = 0.8, size: tuple[int, int] = (64, 48), number: int = 20_000
) -> None:
    rng = np.random.default_rng(0)
    stem.parent.mkdir(parents=True, exist_ok=True)
    x, y = rng.integers(0, size, (number, 2)).astype(np.uint16).T
    t = np.sort(rng.integers(0, int(seconds * 1e6), number))
    with h5py.File(f'{stem}_td.h5', 'w') as file:
        for name, column in dict(x=x, y=y, p=x % 2, t=t).items():
            file.create_dataset(f'events/{name}', data=column, **hdf5plugin.Blosc())
        file['events/width'], file['events/height'] = size
    times = np.arange(0, seconds * 1e6, 1e6 / 30).round()
    np.save(f'{stem}_bbox.npy', np.array([(t, 5, 5, 20, 30, 1, 0) for t in times], BOX))


def write_bad_recordings(raw: Path) -> list[str]:
    """Recordings that cannot be converted; for each, what its message has to name."""
    for stem in ('train/truncated', 'train/corrupt', 'val/empty', 'val/foreign', 'val/no_events'):
        write_recording(raw / stem)
    write_recording(raw / 'val' / 'no_labels')
    write_recording(raw / 'val' / 'no_boxes')
    file = raw / 'train' / 'truncated_td.h5'
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    file = raw / 'train' / 'corrupt_td.h5'
    with h5py.File(file) as events:
        at = events['events/t'].id.get_chunk_info(1)
    content = bytearray(file.read_bytes())
    content[at.byte_offset : at.byte_offset + at.size] = bytes(at.size)
    file.write_bytes(content)
    (raw / 'val' / 'empty_td.h5').write_bytes(b'')
    boxes = np.load(raw / 'val' / 'foreign_bbox.npy')
    boxes['t'] += 3_000_000
    np.save(raw / 'val' / 'foreign_bbox.npy', boxes)
    (raw / 'val' / 'no_events_td.h5').unlink()
    (raw / 'val' / 'no_labels_bbox.npy').unlink()
    (raw / 'val' / 'no_boxes_bbox.npy').write_bytes(b'')
    return [
        'train/truncated_td.h5 cannot be read: it is damaged',
        'train/corrupt_td.h5 cannot be read: it is damaged',
        'val/empty_td.h5 cannot be read: it is damaged',
        'val/foreign_bbox.npy has labels',
        'val/no_events_td.h5 is missing',
        'val/no_labels_bbox.npy is missing',
        'val/no_boxes_bbox.npy cannot be read: it is damaged',
    ]


def inodes(folder: Path) -> dict[str, tuple[int, int]]:
    files = (path for path in folder.rglob('*') if path.is_file())
    return {str(f): (f.stat().st_ino, f.stat().st_mtime_ns) for f in files}


@pytest.mark.slow
@pytest.mark.skipif(os.name == 'nt', reason='needs POSIX signals')
def test_killed_completed_and_kept(tmp_path: Path, run_here: Iterator) -> None:
    """Two splits, two workers; a run is killed with a recording half done, the next finishes it."""
    raw, out = tmp_path / 'raw', tmp_path / 'deep' / 'out'
    write_recording(raw / 'train' / 'good')
    write_recording(raw / 'train' / 'long', 30.0, (640, 480))
    write_recording(raw / 'val' / 'other')
    messages = write_bad_recordings(raw)
    write_recording(raw / 'val' / 'unlabelled')
    np.save(raw / 'val' / 'unlabelled_bbox.npy', np.zeros(0, BOX))
    args = raw, out, '--dataset', 'etram', '--workers', 2
    finished = [out / 'train' / 'good', out / 'val' / 'other']

    with start(*args) as tool:
        deadline = time.monotonic() + 900
        while not all(path.exists() for path in finished) or not list(out.glob('.*/long/*/*/*.h5')):
            assert time.monotonic() < deadline and tool.poll() is None
            time.sleep(0.02)
        family = psutil.Process(tool.pid).children(recursive=True)
        assert len(family) >= 3
        tool.kill()
    assert psutil.wait_procs(family, timeout=20)[1] == [], 'no worker goes on without it'
    assert sorted(path.name for path in (out / 'train').iterdir()) == ['good']
    assert [path.name for path in (out / 'val').iterdir()] == ['other']
    kept = {path: inodes(path) for path in finished}

    code, stdout, stderr = run(*args)
    assert code == 1
    assert '2 recordings are there already' in stdout
    assert {path: inodes(path) for path in finished} == kept, 'not done again'
    assert '100%' in stderr and 'recording' in stderr, 'a progress bar'
    for message in messages:
        assert stderr.count(message) == 1
        assert message in stdout, 'in the report, too'
    assert 'Traceback' not in stderr
    assert stderr.count('skipped: ') == 1 and 'unlabelled_bbox.npy: no label is left of 0' in stdout
    assert [path.name for path in out.iterdir() if path.name.startswith('.')] == []
    assert sorted(path.name for path in (out / 'train').iterdir()) == ['good', 'long']
    for folder, frames in ((out / 'train' / 'long', 299), (finished[0], 7), (finished[1], 7)):
        sequence = RVTSequence(folder, downsample='sum')
        assert len(sequence.frame_steps) == frames
        counts = sequence.representations(0, sequence.num_steps)
        assert counts.any(axis=(1, 2, 3)).all(), 'all of them are written'
        assert sequence.labels(frames - 1)['t'].tolist() == [sequence.frame_times_us[-1]]
    report = json.loads((out / 'conversion_report.json').read_text())
    assert len(report['failed']) == len(messages)
    assert list(report['skipped']) == ['val/unlabelled']
    assert report['splits']['train']['recordings'] == 2
    assert report['splits']['val']['boxes']['car']['small'] == 7
    between = report['splits']['val']['dropped']['between the labelled frames']
    assert between['car']['small'] == 24 - 7

    for path in raw.glob('*/*'):
        if path.name.split('_')[0] not in ('good', 'long', 'other', 'unlabelled'):
            path.unlink()
    everything = inodes(out / 'train')
    code, stdout, _ = run_here(*args)
    assert code == 0 and '3 recordings are there already' in stdout
    assert inodes(out / 'train') == everything
    code, _, stderr = run_here(*args, '--downsample', 'nearest')
    assert code == 2 and 'other settings' in stderr and '--overwrite' in stderr
    assert inodes(out / 'train') == everything


@pytest.mark.slow
def test_a_full_disk_keeps_what_is_done(tmp_path: Path) -> None:
    """Files cannot grow beyond what the first recording needs."""
    write_recording(tmp_path / 'raw' / 'train' / 'a_small_one')
    write_recording(tmp_path / 'raw' / 'train' / 'large', 4.0, (640, 480), 400_000)
    hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
    limit = partial(resource.setrlimit, resource.RLIMIT_FSIZE, (300_000, hard))
    out = tmp_path / 'out'
    args = tmp_path / 'raw', out, '--dataset', 'etram', '--workers', 1
    code, _, stderr = run(*args, preexec_fn=limit)
    assert code == 2
    assert f'error: cannot write to {out}: File too large' in stderr and 'Traceback' not in stderr
    assert 'run again' in stderr
    assert [path.name for path in out.rglob('*') if path.parent.name == 'train'] == ['a_small_one']
    assert [path.name for path in out.iterdir()] == ['train'], 'nothing half-written is left'
    RVTSequence(out / 'train' / 'a_small_one', downsample='sum').representations(0, 1)


@pytest.mark.slow
def test_a_worker_that_is_killed(tmp_path: Path) -> None:
    """As the kernel does when memory runs out."""
    for name in ('long', 'longer'):
        write_recording(tmp_path / 'raw' / 'train' / name, 60.0, (640, 480))
    with start(tmp_path / 'raw', tmp_path / 'out', '--dataset', 'etram', '--workers', 2) as tool:
        while len(list(tmp_path.glob('out/.*/long*/*/*/*.h5'))) < 2:
            assert tool.poll() is None
            time.sleep(0.02)
        family = psutil.Process(tool.pid).children(recursive=True)
        workers = [process for process in family if process.ppid() != tool.pid]
        assert len(workers) == 2
        workers[0].kill()
        _, stderr = tool.communicate(timeout=60)
    assert tool.returncode == 2
    assert 'memory' in stderr and '--workers' in stderr and 'Traceback' not in stderr
    assert not list((tmp_path / 'out').iterdir())


def test_recordings_of_cameras(tmp_path: Path) -> None:
    found = {path.parent.name: path for path in CAMERA_RECORDINGS.glob('*/recording.raw')}
    if not {'evt2_vga', 'evt3_vga_2s'} <= set(found):
        pytest.skip('no recordings of cameras: ABC_EVENT_RECORDINGS names the folder')
    pytest.importorskip('faery', reason='.raw and .dat need the extra `events`')
    paths = found['evt2_vga'], found['evt3_vga_2s']
    options = '--dataset', 'etram', '--size', '640x480', '--workers', 1, '--downsample', 'none'
    code, stdout, stderr = run(*paths, tmp_path / 'out', *options)
    assert code == 0, stderr
    expected = [json.loads((path.parent / 'expected.json').read_text()) for path in paths]
    assert f'{sum(e["num_events"] for e in expected):,} read' in stdout
    report = json.loads((tmp_path / 'out' / 'conversion_report.json').read_text())
    assert report['splits']['test']['events_outside'] == 0
    for name, of_one in zip(('evt2_vga', 'evt3_vga_2s'), expected, strict=True):
        sequence = RVTSequence(tmp_path / 'out' / 'test' / name)
        assert sequence.shape == (20, 480, 640)
        assert of_one['first_t_us'] < sequence.window_ends_us[0] <= of_one['last_t_us']


def test_mistakes(tmp_path: Path, run_here: Iterator) -> None:
    raw, out = tmp_path / 'raw', tmp_path / 'out'
    write_recording(raw / 'val' / 'street')
    (tmp_path / 'file').touch()
    copy = tmp_path / 'copy' / 'street_td.h5'
    copy.parent.mkdir()
    copy.touch()
    for args, words in (
        ((tmp_path / 'nowhere', out), 'nowhere does not exist'),
        ((raw / 'val', out), 'none of the folders train, val, test'),
        ((tmp_path / 'file', out), 'file is no recording'),
        ((raw / 'val' / 'street_td.h5', copy, out), '2 of the recordings would become street'),
        ((raw, out, '--step-ms', 30), '--step-ms 30'),
        ((raw, out, '--bins', 0), '--bins'),
        ((raw, out, '--count-cutoff', 256), '--count-cutoff'),
        ((raw, out, '--size', '0x9'), '--size'),
        ((raw, out, '--size', '9x'), 'of the form 320x192'),
        ((raw, out, '--downsample', 'mean'), 'invalid choice'),
        ((raw, tmp_path / 'file'), f'cannot write to {tmp_path / "file"}'),
    ):
        code, _, stderr = run_here(*args, '--dataset', 'etram')
        assert code == 2
        assert words in stderr and 'Traceback' not in stderr
    code, _, stderr = run_here(raw, out)
    assert code == 2 and '--dataset' in stderr
    assert not out.exists()
