"""The tools in two processes on a CPU, as users start them."""

import json
import os
import re
import socket
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from ..datasets.events.conftest import write_recording  # noqa: F401  a fixture
from ..engine import tiny_runs

ROOT = Path(__file__).parents[2]
PYTHON = sys.executable
CONFIG = """
_base_ = '{root}/configs/small/abc_synthetic.py'

# Batch normalisation would see half a batch in each process; PyTorch has no SyncBN for CPUs.
norm_cfg = dict(_delete_=True, type='GN', num_groups=4)
model = dict(
    backbone=dict(norm_cfg=norm_cfg, widen_factor=0.125),
    neck=dict(norm_cfg=norm_cfg, in_channels=[16, 32, 64, 128]),
    bbox_head=dict(main_head=dict(norm_cfg=norm_cfg), aux_head=dict(norm_cfg=norm_cfg)),
    test_cfg=dict(score_thr=0.0))
train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadAnnotations', with_bbox=True),
    dict(type='Resize', scale=(128, 96), keep_ratio=True),
    dict(type='PackDetInputs'),
]
train_dataloader = dict(
    batch_size={batch_size}, num_workers=0, persistent_workers=False,
    dataset=dict(data_root='{data}', pipeline=train_pipeline))
val_dataloader = dict(
    batch_size=2, num_workers=0, persistent_workers=False, dataset=dict(data_root='{data}'))
test_dataloader = val_dataloader
val_evaluator = dict(ann_file='{data}/annotations/val.json')
test_evaluator = val_evaluator
train_cfg = dict(max_iters=4, val_interval=4)
default_hooks = dict(checkpoint=dict(interval=2), logger=dict(interval=1))
log_processor = dict(window_size=1)
"""


def start(*command: object, **variables: str) -> subprocess.Popen:
    return subprocess.Popen(
        list(map(str, command)),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=ROOT,
        env={**os.environ, 'PYTHON': PYTHON, **variables},
    )


def output_of(process: subprocess.Popen, seconds: float = 300.0) -> str:
    """All that a process and its children print, once all of them have ended."""
    try:
        return process.communicate(timeout=seconds)[0]
    finally:
        process.kill()


def write_config(folder: Path, data: Path, batch_size: int, more: str = '') -> Path:
    path = folder / f'batch_of_{batch_size}.py'
    path.write_text(CONFIG.format(root=ROOT, data=data, batch_size=batch_size) + more)
    return path


@pytest.fixture(scope='module')
def data(tmp_path_factory) -> Path:
    """Eight images to train with, and three to evaluate, which two processes cannot halve."""
    folder = tmp_path_factory.mktemp('data') / 'traffic'
    result = subprocess.run(
        [
            *(PYTHON, 'tools/dataset_converters/synthetic_traffic.py', folder),
            *('--train=8', '--val=3', '--size=128x96'),
        ],
        cwd=ROOT,
        capture_output=True,
    )
    assert result.returncode == 0, result.stderr
    return folder


@pytest.fixture(scope='module')
def trained(data: Path, tmp_path_factory) -> tuple[Path, Path]:
    """Working folders of two processes with two images each, and of one with four."""
    folder = tmp_path_factory.mktemp('runs')
    two, one = folder / 'two', folder / 'one'
    runs = [
        start('tools/dist_train.sh', write_config(folder, data, 2), 2, '--work-dir', two),
        start(PYTHON, 'tools/train.py', write_config(folder, data, 4), '--work-dir', one),
    ]
    for run in runs:
        output = output_of(run)
        assert run.returncode == 0, output
    return two, one


def log(work_dir: Path) -> list[dict]:
    (path,) = work_dir.glob('*/vis_data/scalars.json')
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.mark.slow
def test_two_processes_have_the_losses_of_one_with_the_doubled_batch(
    trained: tuple[Path, Path],
) -> None:
    two, one = map(log, trained)
    assert len(two) == len(one) == 5
    for ours, theirs in zip(two, one, strict=True):
        names = [name for name in theirs if re.search('loss|mAP|grad|conflict', name)]
        assert names == [name for name in ours if re.search('loss|mAP|grad|conflict', name)]
        assert names
        for name in names:
            assert ours[name] == pytest.approx(theirs[name], rel=1e-3, abs=1e-4), name
    assert two[0]['aux_loss_bbox'] > 0
    assert sorted(path.name for path in trained[0].glob('iter_*.pth')) == [
        'iter_2.pth',
        'iter_4.pth',
    ]


@pytest.mark.slow
def test_evaluation_in_two_processes_is_that_of_one(
    trained: tuple[Path, Path], data: Path, tmp_path: Path
) -> None:
    config, checkpoint = trained[0] / 'batch_of_2.py', trained[0] / 'iter_4.pth'
    outputs = []
    for name, command in (
        ('two', ['tools/dist_test.sh', config, checkpoint, 2]),
        ('one', [PYTHON, 'tools/test.py', config, checkpoint]),
    ):
        work_dir = tmp_path / name
        process = start(*command, '--work-dir', work_dir, '--out', work_dir / 'found.bbox.json')
        output = output_of(process)
        assert process.returncode == 0, output
        found = json.loads((work_dir / 'found.bbox.json').read_text())
        table = output[output.index('protocol coco') :].rpartition(', checkpoint ')[0]
        outputs.append((table, found))
    (figures, found), (expected_figures, expected_found) = outputs
    assert figures == expected_figures
    assert re.search(r'^result: mAP \d', figures, re.M)
    assert len(found) == len(expected_found)
    assert [(f['image_id'], f['category_id']) for f in found] == [
        (f['image_id'], f['category_id']) for f in expected_found
    ]


@pytest.mark.slow
def test_a_mistake_is_said_once(tmp_path: Path) -> None:
    process = start(
        *('tools/dist_train.sh', 'configs/small/abc_synthetic.py', 2),
        *('--work-dir', tmp_path, '--cfg-options', 'data_root=/nowhere'),
    )
    output = output_of(process)
    assert process.returncode == 2
    assert output.count('error: ') == 1, output
    assert '/nowhere/annotations/train.json does not exist' in output
    assert 'Traceback' not in output


@pytest.mark.parametrize('script', ['dist_train', 'dist_test', 'slurm_train', 'slurm_test'])
def test_scripts_say_how_they_are_used(script: str) -> None:
    process = start(f'tools/{script}.sh', 'config.py')
    output = output_of(process)
    assert process.returncode == 2
    assert output.startswith(f'usage: tools/{script}.sh ')


@pytest.mark.slow
def test_launcher_and_tools_say_how_processes_are_started() -> None:
    wrong = start(PYTHON, 'tools/launch.py', 'two', 'tools/train.py')
    assert 'launch.py PROCESSES TOOL' in output_of(wrong)
    assert wrong.returncode == 2
    config = 'configs/small/abc_synthetic.py'
    alone = start(PYTHON, 'tools/train.py', config, '--launcher', 'pytorch')
    output = output_of(alone)
    assert alone.returncode == 2, output
    assert 'tools/dist_train.sh CONFIG GPUS' in output or 'does not exist' in output


FAILING = """
custom_imports = dict(imports=['abc_mmdet', 'failing'], allow_failed_imports=False)
custom_hooks = [dict(type='FailingHook', how='{how}')]
train_cfg = dict(max_iters=10_000, val_interval=10_000)
"""
HOOK = """
import os, signal
from mmengine.dist import get_rank
from mmengine.hooks import Hook
from mmdet.registry import HOOKS

@HOOKS.register_module()
class FailingHook(Hook):
    def __init__(self, how):
        self.how = how

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        if runner.iter == 3 and get_rank() == 1:
            if self.how == 'SIGKILL':
                os.kill(os.getpid(), signal.SIGKILL)
            if self.how == 'exception':
                raise ZeroDivisionError('only in process 1')
            if self.how == 'file':
                open('/nowhere/image.png')
        if runner.iter == 3 and get_rank() == 0 and self.how == 'SIGINT':
            os.kill(os.getppid(), signal.SIGINT)
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ('how', 'code', 'message', 'not_said'),
    [
        ('SIGKILL', 1, r'process 1 of this run \(pid \d+\) was ended by SIGKILL', 'Traceback'),
        ('exception', 1, r'ZeroDivisionError: only in process 1', 'RuntimeError'),
        ('file', 2, r"No such file or directory: '/nowhere/image.png'", 'Traceback'),
        ('SIGINT', 130, r'interrupted|ended by SIGINT', 'Traceback'),
    ],
)
def test_when_one_process_fails_all_end_within_a_minute(
    data: Path, tmp_path: Path, how: str, code: int, message: str, not_said: str
) -> None:
    (tmp_path / 'failing.py').write_text(HOOK)
    config = write_config(tmp_path, data, 2, FAILING.format(how=how))
    paths = os.pathsep.join([str(tmp_path), os.environ['PYTHONPATH']])
    run = start('tools/dist_train.sh', config, 2, '--work-dir', tmp_path / 'run', PYTHONPATH=paths)
    family: set[psutil.Process] = set()
    while not (tmp_path / 'run').exists() and run.poll() is None:
        time.sleep(0.2)
        family |= set(psutil.Process(run.pid).children(recursive=True))
    while run.poll() is None and not any(
        'Iter(train) [    3/' in path.read_text() for path in tmp_path.glob('run/*/*.log')
    ):
        time.sleep(0.2)
    failed_at = time.monotonic()
    output = output_of(run, seconds=60)
    assert time.monotonic() - failed_at < 60
    assert run.returncode == code, output
    assert re.search(message, output), output
    assert output.count('error: ') <= 1, output
    assert not_said not in output, output
    assert len(family) >= 2
    assert not psutil.wait_procs(family, timeout=10)[1], 'nobody is left'
    assert not list((tmp_path / 'run').glob('iter_4*'))


@pytest.mark.slow
@pytest.mark.parametrize('kind', ['images', 'events'])
def test_two_processes_resume_as_if_never_killed(kind: str, tmp_path: Path) -> None:
    """One of them is killed in iteration 4; streams are in the middle of their recordings."""
    (tmp_path / 'failing.py').write_text(HOOK)
    paths = os.pathsep.join([str(tmp_path), os.environ['PYTHONPATH']])
    text, write_data = dict(
        images=(tiny_runs.IMAGES, tiny_runs.write_images),
        events=(tiny_runs.EVENTS, tiny_runs.write_events),
    )[kind]
    whole, cut = tmp_path / 'whole.py', tmp_path / 'cut.py'
    data = write_data(tmp_path / 'data')
    for config in (whole, cut):
        tiny_runs.write_config(config, text, data, iterations=6, every=2)
    with cut.open('a') as file:
        file.write("custom_hooks.append(dict(type='FailingHook', how='SIGKILL'))\n")
        file.write("custom_imports = dict(imports=['abc_mmdet', 'failing'])\n")
    for config, work_dir, code in ((whole, 'a', 0), (cut, 'b', 1), (whole, 'b', 0)):
        run = start(
            *('tools/dist_train.sh', config, 2, '--work-dir', tmp_path / work_dir, '--resume'),
            PYTHONPATH=paths,
        )
        output = output_of(run)
        assert run.returncode == code, output
    assert re.search(r'resuming from .*iter_2.pth', output), output
    ours, theirs = (tiny_runs.outcome(tmp_path / name, 6) for name in 'ab')
    assert len(ours['running_states']) == 2
    tiny_runs.assert_same(ours, theirs)


SRUN = """#!{python}
# Stands for Slurm's: starts the tasks on this machine, and ends all when one fails.
import os, subprocess, sys
options = [a for a in sys.argv[1:] if a.startswith('--')]
command = sys.argv[1 + next(i for i, a in enumerate(sys.argv[1:]) if not a.startswith('--')):]
print('srun', *sys.argv[1:])
number = int(next(o.split('=')[1] for o in options if o.startswith('--ntasks=')))
tasks = [subprocess.Popen(command, env={{**os.environ, 'SLURM_PROCID': str(i),
    'SLURM_LOCALID': str(i), 'SLURM_NTASKS': str(number), 'SLURM_NODELIST': 'n[1-2]'}})
    for i in range(number)]
codes = [task.wait() for task in tasks]
sys.exit(max(codes))
"""


@pytest.mark.slow
def test_slurm_scripts_start_the_tools(data: Path, tmp_path: Path) -> None:
    """With a stand-in for Slurm, which cannot be installed for a test."""
    for name, content in (
        ('srun', SRUN.format(python=PYTHON)),
        (
            'scontrol',
            '#!/bin/sh\n[ "$*" = "show hostnames n[1-2]" ] && echo 127.0.0.1 && echo n2\n',
        ),
    ):
        (tmp_path / name).write_text(content)
        (tmp_path / name).chmod(0o755)
    config = write_config(tmp_path, data, 2)
    with socket.socket() as free:
        free.bind(('127.0.0.1', 0))
        port = str(free.getsockname()[1])
    variables = dict(
        PATH=f'{tmp_path}:{os.environ["PATH"]}', GPUS='2', GPUS_PER_NODE='0', MASTER_PORT=port
    )
    run = start('tools/slurm_train.sh', 'cpu', 'a job', config, tmp_path / 'a run', **variables)
    output = output_of(run)
    assert run.returncode == 0, output
    assert 'srun --partition=cpu --job-name=a job --ntasks=2 --cpus-per-task=5' in output
    assert len(log(tmp_path / 'a run')) == 5
    checkpoint = tmp_path / 'a run' / 'iter_4.pth'
    work_dir = ('--work-dir', tmp_path / 'test')
    run = start('tools/slurm_test.sh', 'cpu', 'job', config, checkpoint, *work_dir, **variables)
    output = output_of(run)
    assert run.returncode == 0, output
    assert len(re.findall(r'^result: mAP \d', output, re.M)) == 1


EVENTS = """
_base_ = '{root}/configs/small/abc_synthetic_events.py'

train_dataloader = dict(
    batch_size=2, num_workers=0, persistent_workers=False,
    dataset=dict(data_root='{data}', downsample='none'))
val_dataloader = dict(
    num_workers=0, persistent_workers=False,
    dataset=dict(data_root='{data}', downsample='none'))
test_dataloader = val_dataloader
model = dict(test_cfg=dict(score_thr=0.0))
train_cfg = dict(max_iters=3, val_interval=3)
default_hooks = dict(checkpoint=dict(interval=3), logger=dict(interval=1))
"""


@pytest.mark.slow
def test_recordings_stream_in_two_processes(write_recording, tmp_path: Path) -> None:  # noqa: F811
    """Three recordings to train with; one to evaluate, so that one process has none."""
    data = tmp_path / 'data'
    for name, length in (('train/a', 12), ('train/b', 7), ('train/c', 9), ('val/d', 11)):
        write_recording(data / name, length, range(2, length, 3), size=(96, 64), seed=length)
    config = tmp_path / 'events.py'
    config.write_text(EVENTS.format(root=ROOT, data=data))
    run = start('tools/dist_train.sh', config, 2, '--work-dir', tmp_path / 'run')
    output = output_of(run)
    assert run.returncode == 0, output
    *iterations, figures = log(tmp_path / 'run')
    assert len(iterations) == 3
    alone = start(
        *(PYTHON, 'tools/test.py', config, tmp_path / 'run/iter_3.pth'),
        *('--work-dir', tmp_path / 'test', '--verbose'),
    )
    output = output_of(alone)
    assert alone.returncode == 0, output
    printed = re.findall(r'^(bbox_mAP\w*): ([\d.]+)$', output, re.M)
    assert len(printed) > 3
    for name, value in printed:
        assert figures[f'coco/{name}'] == pytest.approx(float(value), abs=1e-3), name
