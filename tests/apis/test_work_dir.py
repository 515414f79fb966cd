"""The folder of a run: written to, or taken by somebody else."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from abc_mmdet.apis.work_dir import claim_work_dir, make_work_dir
from abc_mmdet.errors import UserError

TRAINING = """
import multiprocessing, sys, time
from abc_mmdet.apis.work_dir import claim_work_dir
claim_work_dir(sys.argv[1])
# A loader process that outlives it
multiprocessing.get_context('fork').Process(target=time.sleep, args=(600,), daemon=False).start()
print('ready', flush=True)
time.sleep(600)
"""


def test_a_folder_that_is_in_use(tmp_path: Path) -> None:
    folder = tmp_path / 'runs/mine'
    training = subprocess.Popen(
        [sys.executable, '-c', TRAINING, str(folder)],
        **dict(stdout=subprocess.PIPE, text=True, start_new_session=True),
    )
    try:
        while training.stdout.readline().strip() != 'ready':
            pass
        for _ in range(2):
            with pytest.raises(UserError) as error:
                claim_work_dir(folder)
            message = str(error.value)
            assert (
                f'{folder} is in use: process {training.pid} on {socket.gethostname()}' in message
            )
            assert 'since 20' in message and '--work-dir' in message
        training.kill()
        training.wait()
        claim_work_dir(folder)  # the loader process is alive
        assert (folder / 'lock').read_text().startswith(f'process {os.getpid()} on')
    finally:
        os.killpg(training.pid, 9)
    assert [path.name for path in folder.iterdir()] == ['lock']


def test_a_folder_that_cannot_be_written_to(tmp_path: Path) -> None:
    (tmp_path / 'file').touch()
    with pytest.raises(UserError, match=r'file/run cannot be written to \(Not a directory\)'):
        make_work_dir(tmp_path / 'file/run')
    with pytest.raises(UserError, match='cannot be written to'):
        claim_work_dir('/proc/run')


def test_other_processes_of_a_run_leave_it_to_the_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    claim_work_dir(tmp_path / 'run')
    monkeypatch.setenv('RANK', '1')
    claim_work_dir(tmp_path / 'run')
    monkeypatch.setenv('RANK', '0')
    with pytest.raises(UserError, match='is in use'):
        claim_work_dir(tmp_path / 'run')
