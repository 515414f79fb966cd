"""From tools/dataset_converters/synthetic_events.py to a video of detections, as users go."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from abc_mmdet.datasets.events import EventSequenceDataset
from abc_mmdet.datasets.synthetic import CLASSES
from abc_mmdet.datasets.synthetic.event_export import EventRecipe, is_complete

from ..warm_python import python
from .in_process import run_in_process

ROOT = Path(__file__).parents[2]
TOOL = ROOT / 'tools/dataset_converters/synthetic_events.py'
CONFIG = ROOT / 'configs/small/abc_synthetic_events.py'
ENV = {**os.environ, 'PYTHONPATH': str(ROOT), 'PYTHONWARNINGS': 'ignore'}
WIDTH, HEIGHT = 96, 64
TINY = ('--train', 1, '--val', 1, '--seconds', 0.6, '--size', f'{WIDTH}x{HEIGHT}', '--workers', 1)
RECIPE = EventRecipe(train=1, val=1, seconds=0.6, width=WIDTH, height=HEIGHT)
LOADER = ('batch_size=2', 'num_workers=0', 'persistent_workers=False')
OPTIONS = (
    *(f'{split}_dataloader.{option}' for split in ('train', 'val', 'test') for option in LOADER),
    *('train_cfg.max_iters=2', 'train_cfg.val_interval=2', 'default_hooks.checkpoint.interval=2'),
    *('default_hooks.logger.interval=1', 'model.test_cfg.score_thr=0.0'),
)


def run(tool: str, *arguments: object) -> str:
    """Run a tool that has to succeed; its output."""
    command = [python(), str(ROOT / tool), *map(str, arguments)]
    done = subprocess.run(command, env=ENV, cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.fixture
def run_here(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture) -> Iterator:
    """A tool in this process: exit code, output and errors."""
    handler = signal.getsignal(signal.SIGTERM)

    def run_it(tool: str, *arguments: object) -> tuple[int, str, str]:
        return run_in_process(tool, arguments, monkeypatch, capsys)

    yield run_it
    signal.signal(signal.SIGTERM, handler)


@pytest.fixture(scope='module')
def raw(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp('events') / 'deep' / 'raw'
    output = run('tools/dataset_converters/synthetic_events.py', out, *TINY)
    assert re.search(r'train/street_000: \d\.\d M events, \d+ boxes', output)
    assert 'written' in output
    return out


@pytest.fixture(scope='module')
def converted(raw: Path) -> Path:
    out = raw.with_name('converted')
    tool = 'tools/dataset_converters/event_recordings.py'
    said = run(tool, raw, out, '--dataset', 'etram', '--workers', 1)
    assert 'train: 1 recordings' in said
    return out


@pytest.fixture(scope='module')
def trained(converted: Path) -> tuple[Path, str]:
    """A checkpoint, and what was said on the way to it."""
    work_dir = converted.with_name('work')
    options = ('--cfg-options', f'data_root={converted}', *OPTIONS)
    output = run('tools/train.py', CONFIG, '--work-dir', work_dir, '--verbose', *options)
    return work_dir / 'iter_2.pth', output


def test_written_and_kept(raw: Path, run_here) -> None:
    assert [path.name for path in raw.parent.glob('*raw*')] == ['raw'], 'no left-overs'
    assert is_complete(raw, RECIPE)
    files = sorted(str(path.relative_to(raw)) for path in raw.rglob('*') if path.is_file())
    assert files == [
        'recipe.json',
        *(f'{s}/street_000{e}' for s in ('train', 'val') for e in ('_bbox.npy', '_td.h5')),
    ]
    stamp = (raw / 'train/street_000_td.h5').stat().st_mtime_ns
    code, output, _ = run_here(TOOL, raw, *TINY)
    assert code == 0 and 'nothing to do' in output
    code, _, errors = run_here(TOOL, raw, *TINY, '--seed', 5)
    assert code == 2 and '--overwrite' in errors
    assert (raw / 'train/street_000_td.h5').stat().st_mtime_ns == stamp


@pytest.mark.parametrize(
    ('arguments', 'words'),
    [
        (('--size', '320x'), '320x192'),
        (('--size', '32x20'), '--size 32x20'),
        (('--train', '0'), '--train 0'),
        (('--seconds', '0.1'), '--seconds 0.1'),
    ],
)
def test_mistakes(run_here, tmp_path: Path, arguments: tuple[str, ...], words: str) -> None:
    code, _, errors = run_here(TOOL, tmp_path / 'raw', *arguments)
    assert code == 2 and words in errors
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
@pytest.mark.parametrize('how', [signal.SIGINT, signal.SIGTERM])
def test_stopped_in_the_middle(tmp_path: Path, how: signal.Signals) -> None:
    command = [sys.executable, TOOL, tmp_path / 'raw', *TINY, '--seconds', 60, '--workers', 2]
    tool = subprocess.Popen(
        [*map(str, command)], env=ENV, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    try:
        deadline = time.monotonic() + 900
        while len(list(tmp_path.glob('.raw.partial-*/new/*/*.h5'))) < 2:
            assert time.monotonic() < deadline and tool.poll() is None
            time.sleep(0.1)
        if how == signal.SIGINT:
            os.killpg(tool.pid, how)  # as a terminal does
        else:
            tool.send_signal(how)
        errors = tool.communicate(timeout=600)[1]
    finally:
        tool.kill()
    assert tool.returncode == 128 + how
    assert 'Traceback' not in errors
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_the_data_set_serves_clips_with_boxes(converted: Path) -> None:
    dataset = EventSequenceDataset(
        data_root=str(converted),
        data_prefix=dict(recordings='val/'),
        downsample='sum',
        clip_length=3,
        test_mode=True,
        pipeline=[dict(type='LoadEventClip'), dict(type='PackClipInputs')],
    )
    assert dataset.metainfo['classes'] == CLASSES
    clips = [dataset[i] for i in range(len(dataset))]
    events = np.concatenate([clip['inputs'].numpy() for clip in clips])
    assert events.shape == (11, 20, HEIGHT // 2, WIDTH // 2)
    assert events.any(axis=(1, 2, 3)).all()
    samples = [s for clip in clips if len(clip['data_samples']) for s in clip['data_samples']]
    assert [round(s.timestamp_us, -4) for s in samples] == [*range(100_000, 600_001, 100_000)]
    boxes = np.concatenate([s.gt_instances.bboxes.numpy() for s in samples])
    assert len(boxes) > 6
    assert (boxes >= 0).all() and (boxes <= [WIDTH / 2, HEIGHT / 2] * 2).all()


@pytest.mark.slow
def test_training_validates_and_saves(trained: tuple[Path, str]) -> None:
    checkpoint, output = trained
    assert checkpoint.is_file()
    assert 'Iter(train) [2/2]' in output
    assert 'aux_loss_bbox' in output
    (figures,) = re.findall(r'Iter\(val\).*bbox_mAP: (\S+)', output)
    assert 0 <= float(figures) <= 1
    assert 'bbox_mAP_still' in output


@pytest.mark.slow
def test_browsed_as_images(trained: tuple[Path, str], converted: Path, tmp_path: Path) -> None:
    tool = 'tools/analysis_tools/browse_events.py'
    options = ('--upscale', 2, '--score-thr', 0)
    options += ('--cfg-options', f'data_root={converted}', 'model.test_cfg.score_thr=0.0')
    output = run(tool, CONFIG, trained[0], '--out', tmp_path / 'images', *options)
    assert '11 images' in output
    images = [cv2.imread(str(path)) for path in sorted((tmp_path / 'images').iterdir())]
    assert {image.shape for image in images} == {(HEIGHT + 18, WIDTH, 3)}
    for image in images:
        blue, green, red = image.reshape(-1, 3).astype(int).T
        assert ((red > 200) & (green < 140) & (blue < 60)).any(), 'detections are orange'


@pytest.mark.slow
def test_browsed_as_a_video(
    run_here, trained: tuple[Path, str], converted: Path, tmp_path: Path
) -> None:
    tool = 'tools/analysis_tools/browse_events.py'
    options = ('--labelled', '--upscale', 2, '--cfg-options', f'data_root={converted}')
    code, *_ = run_here(tool, CONFIG, trained[0], '--out', tmp_path / 'video.mp4', *options)
    assert code == 0
    video = cv2.VideoCapture(str(tmp_path / 'video.mp4'))
    frames = []
    while (frame := video.read())[0]:
        frames.append(frame[1])
    assert len(frames) == 6
    assert {frame.shape for frame in frames} == {(HEIGHT + 18, WIDTH, 3)}


@pytest.mark.slow
def test_what_memory_is_worth(trained: tuple[Path, str], converted: Path, tmp_path: Path) -> None:
    config = tmp_path / 'mine.py'
    config.write_text(f"_base_ = '{CONFIG}'\nmodel = dict(test_cfg=dict(score_thr=0.0))\n")
    figures = tmp_path / 'still.json'
    command = [python(), ROOT / 'benchmarks/still_objects.py', config, trained[0]]
    command += ['--work-dir', tmp_path, '--json', figures]
    environment = {**ENV, 'ABC_SYNTHETIC_EVENTS': f'{converted}/'}
    subprocess.run([*map(str, command)], env=environment, cwd=ROOT, check=True, timeout=300)
    rows = json.loads(figures.read_text())
    assert list(rows) == ['streamed', 'reset at every step']
    for row in rows.values():
        assert set(row) == {'mAP', 'mAP_50', 'still mAP', 'still mAP_50'}
