"""What tools read they do not write over, and a training has its folder for itself."""

import os
import runpy
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from mmengine.config import Config

from abc_mmdet.apis.output_files import check_outputs, claim_work_dir, make_folders, make_work_dir
from abc_mmdet.errors import UserError

from ..warm_python import python

TOOLS = Path(__file__).parents[2] / 'tools'


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a config of two files, annotations, images, a checkpoint and results."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / 'images').mkdir()
    cv2.imwrite('images/x.jpg', np.zeros((8, 8, 3), np.uint8))
    for name in ('a.json', 'metric.json', 'r.bbox.json', 'c.pth', 'd.pth', 'weights.pth'):
        (tmp_path / name).write_bytes(b'\x80' + name.encode())
    (tmp_path / 'base.py').write_text("load_from = 'weights.pth'\n")
    (tmp_path / 'config.py').write_text(
        "_base_ = 'base.py'\n"
        "data = dict(type='CocoDataset', data_root='.', ann_file='a.json',\n"
        "    data_prefix=dict(img='images/'), metainfo=dict(classes=('a',)))\n"
        "test_dataloader = dict(dataset=dict(type='RepeatDataset', times=1, dataset=data))\n"
        "test_evaluator = dict(type='CocoMetric', ann_file='metric.json')\n"
        "model = dict(type='X', backbone=dict(type='Y'), bbox_head=dict(type='Z'))\n"
    )
    os.link('a.json', 'hard.json')
    os.symlink('a.json', 'soft.json')
    return tmp_path


@pytest.mark.parametrize(
    'output',
    [
        *('a.json', 'images/../a.json', 'hard.json', 'soft.json', 'metric.json', 'config.py'),
        *('base.py', 'weights.pth', 'images/x.jpg', 'c.pth'),
    ],
)
def test_what_is_read_is_not_written(output: str, files: Path) -> None:
    config = Config.fromfile('config.py')
    with pytest.raises(UserError, match=f'--out {output} is .*: it would be replaced'):
        check_outputs({'--out': output}, ['c.pth'], config)


@pytest.mark.parametrize('output', ['new.json', 'r.bbox.json', 'images/new.jpg', 'new/a.json'])
def test_all_else_is(output: str, files: Path) -> None:
    check_outputs({'--out': output, '--json': None}, ['c.pth'], Config.fromfile('config.py'))


def test_outputs_are_different_files_and_folders_hold_no_input(files: Path) -> None:
    with pytest.raises(UserError, match=r'--plot b.json is that of --json, too'):
        check_outputs({'--json': './b.json', '--plot': 'b.json'})
    with pytest.raises(UserError, match=r'images is a folder with .*x.jpg in it'):
        check_outputs({'OUT_DIR': 'images'}, ['images/x.jpg'])


@pytest.fixture
def tool(monkeypatch: pytest.MonkeyPatch) -> Callable[..., object]:
    """Runs a tool in this process; its exit code."""

    def run(command: str) -> object:
        name, *arguments = command.split()
        path = str(next(TOOLS.rglob(f'{name}.py')))
        monkeypatch.setattr(sys, 'argv', [path, *arguments])
        with pytest.raises(SystemExit) as stop:
            runpy.run_path(path, run_name='__main__')
        return stop.value.code

    return run


@pytest.mark.parametrize(
    'command',
    [
        'check_dataset config.py --json a.json',
        'check_dataset config.py --json config.py',
        'check_dataset config.py --plot images/x.png',
        'report config.py --results r=r.bbox.json --out r.bbox.json',
        'report config.py --results r=r.bbox.json --out base.py',
        'show_slices config.py c.pth images/x.jpg images/x.jpg --slice 8',
        'abc_to_plain c.pth c.pth',
        'average c.pth d.pth --out d.pth',
        'rvt_to_abc c.pth base.py --config config.py',
        'to_mmdet config.py c.pth .',
        'export_onnx config.py c.pth images/x.onnx',
        'test config.py c.pth --out other.bbox.json',
        'test config.py c.pth --work-dir .',
        'train config.py --work-dir .',
        'infer config.py c.pth images --out lists',
        'new_config --train a.json --val r.bbox.json --images images --out a.py --overwrite',
    ],
)
def test_every_tool_asks(
    command: str, tool: Callable[..., object], files: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (files / 'lists').mkdir()
    for name, target in (
        ('images/x.png', 'images/x.jpg'),
        ('images/x.onnx', 'c.pth'),
        ('other.bbox.json', 'a.json'),
        ('lists/detections.csv', 'config.py'),
        ('a.py', 'a.json'),
    ):
        os.link(target, name)
    before = {path: path.read_bytes() for path in files.rglob('*') if path.is_file()}
    assert tool(command) == 2
    said = capfd.readouterr().err
    assert 'it would be replaced' in said, said
    after = {path: path.read_bytes() for path in files.rglob('*') if path.is_file()}
    assert after == before


@pytest.mark.parametrize(
    'command',
    [
        f'check_dataset config.py --json {"n" * 300}.json',
        f'report config.py --results r=r.bbox.json --out {"n" * 300}.html',
        f'abc_to_plain c.pth {"n" * 300}',
        f'abc_to_plain {"n" * 300} d.pth',
        f'check_dataset {"n" * 300}',
        f'infer config.py c.pth {"n" * 300} --out out',
        f'infer config.py c.pth images --out {"n" * 300}',
        f'infer config.py c.pth images --out out --batch {10**400}',
        f'infer config.py c.pth images --out out --score-thr {10**400}',
        f'infer config.py c.pth images --out out --slice {10**400}',
        f'infer config.py c.pth images --out out --slice 64 --slice-batch {10**400}',
        'infer config.py c.pth images --out out --slice 64 --upscale 1000',
        f'show_slices config.py c.pth images/x.jpg {"n" * 300}.png --slice 8',
        f'browse_events config.py --out out --limit {10**400}',
        f'browse_events config.py --out out --upscale {10**400}',
        'browse_events config.py --out out --upscale 100000',
        f'export_onnx config.py c.pth out.onnx --size {10**400}',
        f'report config.py --results r=r.bbox.json --gallery {10**400}',
        f'new_config --train a.json --val a.json --images images --iterations {10**400}',
        f'new_config --train {"n" * 300} --val a.json --images images --out new.py',
        f'new_config --train a.json --val a.json --images images --out {"n" * 300}.py',
        f'event_recordings images out --dataset etram --bins {10**400}',
        f'synthetic_traffic out --train {10**400}',
        f'synthetic_traffic {"n" * 300}',
        f'synthetic_events out --train {10**400}',
        f'train {"n" * 300}',
        f'train config.py --work-dir {"n" * 300}',
        f'test config.py {"n" * 300}',
    ],
)
def test_long_names_and_large_numbers_end_in_a_message(
    command: str, tool: Callable[..., object], files: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert tool(command) == 2
    assert 'error: ' in capfd.readouterr().err


def test_folders_of_results_are_made_before_the_work(files: Path) -> None:
    make_folders({'--out': 'new/folder/a.json', '--json': None})
    assert Path('new/folder').is_dir() and not Path('new/folder/a.json').exists()
    with pytest.raises(UserError, match=r'--out a\.json/b/c\.json: a\.json/b cannot be made'):
        make_folders({'--out': 'a.json/b/c.json'})


def test_results_that_cannot_be_written_are_refused_before_the_test(
    files: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    checkpoint = files / 'good.pth'
    torch.save(dict(state_dict=dict(weight=torch.ones(1))), checkpoint)
    tool = str(TOOLS / 'test.py')
    monkeypatch.setattr(sys, 'argv', [tool, 'config.py', 'good.pth', '--out', 'a.json/b.bbox.json'])
    with pytest.raises(SystemExit) as stop:
        runpy.run_path(tool, run_name='__main__')
    assert stop.value.code == 2
    assert 'a.json cannot be made' in capsys.readouterr().err


TRAINING = """
import multiprocessing, os, sys, time
from abc_mmdet.apis.output_files import claim_work_dir
claim_work_dir(sys.argv[1])
# A loader process that outlives it
loader = multiprocessing.get_context('fork').Process(target=time.sleep, args=(600,), daemon=False)
loader.start()
print('ready', os.getpid(), loader.pid, flush=True)
time.sleep(600)
"""


def test_a_folder_that_is_in_use(tmp_path: Path) -> None:
    folder = tmp_path / 'runs/mine'
    training = subprocess.Popen(
        [python(), '-c', TRAINING, str(folder)], stdout=subprocess.PIPE, text=True
    )
    while not (line := training.stdout.readline()).startswith('ready'):
        assert line, 'the training has ended'
    pid, loader = map(int, line.split()[1:])
    try:
        for _ in range(2):
            with pytest.raises(UserError) as error:
                claim_work_dir(folder)
            message = str(error.value)
            assert f'{folder} is in use: process {pid} on {socket.gethostname()}' in message
            assert 'since 20' in message and '--work-dir' in message
        os.kill(pid, signal.SIGKILL)
        assert training.wait() == -signal.SIGKILL
        os.kill(loader, 0)  # is alive
        claim_work_dir(folder)
        assert (folder / 'lock').read_text().startswith(f'process {os.getpid()} on')
    finally:
        training.kill()
        os.kill(loader, signal.SIGKILL)
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
