"""Ctrl-C in the middle of a training: nothing stays behind, whichever processes it reaches."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from abc_mmdet.datasets.synthetic.coco_export import Recipe, prepare

ROOT = Path(__file__).parents[2]
OPTIONS = [
    'model.backbone.widen_factor=0.125',
    'model.neck.in_channels=[16,32,64,128]',
    'train_dataloader.batch_size=2',
    'train_dataloader.num_workers=2',
    'train_cfg.val_interval=2',
    'default_hooks.logger.interval=1',
]


@pytest.fixture(scope='module')
def data(tmp_path_factory) -> str:
    root = tmp_path_factory.mktemp('data') / 'synthetic'
    prepare(root, Recipe(train=6, val=3, width=128, height=96))
    return f'data_root={root}'


@pytest.mark.slow
@pytest.mark.parametrize('reached', ['the tool alone', 'the process group'])
def test_ctrl_c_ends_a_training_and_its_workers(data: str, tmp_path: Path, reached: str) -> None:
    log = tmp_path / 'log.txt'
    command = [sys.executable, 'tools/train.py', 'configs/small/abc_synthetic.py']
    command += ['--work-dir', str(tmp_path / 'work'), '--cfg-options', data, *OPTIONS]
    with log.open('w') as output:
        training = subprocess.Popen(
            command,
            stdout=output,
            stderr=output,
            cwd=ROOT,
            start_new_session=True,
            # Where these tests run in the background, Ctrl-C is ignored, and children inherit that
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )
    try:
        deadline = time.monotonic() + 300
        while not re.search('^iter 3/', log.read_text(), re.M):  # after an evaluation
            assert training.poll() is None and time.monotonic() < deadline, log.read_text()
            time.sleep(0.1)
        workers = psutil.Process(training.pid).children(recursive=True)
        assert len(workers) == 3, 'two for training, one for evaluation'
        if reached == 'the tool alone':
            training.send_signal(signal.SIGINT)
        else:
            os.killpg(training.pid, signal.SIGINT)  # as a terminal does
        assert training.wait(timeout=300) == 130
    finally:
        training.kill()
    _, alive = psutil.wait_procs(workers, timeout=10)
    assert not alive
    assert log.read_text().endswith('interrupted\n')
    assert 'Traceback' not in log.read_text()
