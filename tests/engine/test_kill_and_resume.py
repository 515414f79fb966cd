"""tools/train.py killed at random moments, and while it writes checkpoints; and on a full disk."""

import os
import random
import re
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
import torch

from abc_mmdet.checkpoints.loading import is_whole

from .tiny_runs import (
    EVENTS,
    IMAGES,
    assert_same,
    outcome,
    write_config,
    write_events,
    write_images,
)
from .warm_tools import WarmTools

RUNS = pytest.mark.parametrize(
    ('text', 'write_data'), [(IMAGES, write_images), (EVENTS, write_events)], ids=['image', 'event']
)
KILLS = 20


@pytest.fixture(scope='module')
def tools() -> Iterator[WarmTools]:
    tools = WarmTools()
    yield tools
    tools.close()


def is_running(pid: int) -> bool:
    return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE


def wait_until(seen: Callable[[], bool], pid: int) -> bool:
    """Whether it was seen before the process ended."""
    while is_running(pid):
        if seen():
            return True
        time.sleep(0.01)
    return False


@pytest.mark.slow
@RUNS
def test_killed_twenty_times(
    tools: WarmTools, text: str, write_data: Callable[[Path], Path], tmp_path: Path
) -> None:
    """While it starts, while it trains, and half of the times while it writes a checkpoint.

    Loader processes are two in the run that is killed, and none in the other.
    """
    iterations = 32
    data = write_data(tmp_path / 'data')
    options = dict(iterations=iterations, every=2, validate=8)
    still = write_config(tmp_path / 'still.py', text, data, **options)
    config = write_config(tmp_path / 'config.py', text, data, **options, workers=2)
    log = tmp_path / 'log.txt'

    def iterations_logged() -> int:
        return len(re.findall(r'^iter \d+/', log.read_text(), re.M))

    began = time.monotonic()
    pid = tools.start('tools/train.py', still, '--work-dir', tmp_path / 'still', output=log)
    assert wait_until(lambda: log.exists() and iterations_logged() > 0, pid)
    to_start = time.monotonic() - began
    assert tools.wait(pid) == 0, log.read_text()[-3000:]
    per_iteration = (time.monotonic() - began - to_start) / iterations

    rng = random.Random(0)
    work_dir = tmp_path / 'killed'
    work_dir.mkdir()
    command = ('tools/train.py', config, '--work-dir', work_dir, '--resume')

    in_writing = 0
    for number in range(KILLS):
        if number % 2:  # a checkpoint is flushed, its name, the pointer, its name; the best one ...
            pid = tools.start(*command, output=log, dies_at=rng.randint(1, 6))
        else:
            wanted = iterations_logged() + rng.randint(1, 2)
            pid = tools.start(*command, output=log)
            # In an iteration, or while it starts
            patience = to_start * (rng.uniform(0, 1) if number % 4 else 10)
            deadline = time.monotonic() + patience
            while iterations_logged() < wanted and time.monotonic() < deadline:
                time.sleep(0.01)
            time.sleep(rng.uniform(0, per_iteration))
            os.kill(pid, signal.SIGKILL)
        assert tools.wait(pid) == -signal.SIGKILL, log.read_text()[-3000:]
        in_writing += bool(list(work_dir.glob('.*.partial')))
    assert tools.run(*command, output=log) == 0, log.read_text()[-3000:]
    resumed = re.findall(r'resuming from .*iter_(\d+)', log.read_text())
    print(f'{KILLS} kills, {in_writing} left a file half-written; resumed from {resumed}')
    assert in_writing >= KILLS // 8
    assert not list(work_dir.glob('.*'))
    assert_same(outcome(work_dir, iterations), outcome(tmp_path / 'still', iterations))


@pytest.mark.slow
@RUNS
def test_the_same_seed_gives_the_same_weights(
    tools: WarmTools, text: str, write_data: Callable[[Path], Path], tmp_path: Path
) -> None:
    data = write_data(tmp_path / 'data')
    log = tmp_path / 'log.txt'
    for name, workers in (('first', 0), ('second', 1)):
        config = write_config(
            tmp_path / f'{name}.py', text, data, iterations=50, every=50, workers=workers
        )
        command = ('tools/train.py', config, '--work-dir', tmp_path / name)
        assert tools.run(*command, output=log) == 0, log.read_text()[-3000:]
    ours, theirs = (outcome(tmp_path / name, 50) for name in ('first', 'second'))
    assert len(ours['logged']) == 50
    assert_same(ours, theirs)


@pytest.mark.slow
def test_a_full_disk_and_a_damaged_checkpoint(tools: WarmTools, tmp_path: Path) -> None:
    """The disk is full, as files cannot grow any more, when the second checkpoint is written."""
    config = write_config(
        tmp_path / 'config.py', EVENTS, write_events(tmp_path / 'data'), iterations=2, every=1
    )
    work_dir, log = tmp_path / 'work', tmp_path / 'log.txt'
    command = ('tools/train.py', config, '--work-dir', work_dir, '--resume')
    assert tools.run(*command, '--cfg-options', 'train_cfg.max_iters=1', output=log) == 0
    first = work_dir / 'iter_1.pth'
    content = first.read_bytes()

    log.write_text('')
    assert tools.run(*command, output=log, largest_file=len(content) // 2) == 2
    message = log.read_text()
    assert f'error: cannot write {work_dir}/iter_2.pth: File too large' in message
    assert f'{first} is whole' in message and 'Traceback' not in message
    assert first.read_bytes() == content and is_whole(first)
    assert (work_dir / 'last_checkpoint').read_text() == str(first)
    assert not list(work_dir.glob('.*')) and not (work_dir / 'iter_2.pth').exists()

    assert tools.run(*command, output=log) == 0
    second = work_dir / 'iter_2.pth'
    whole = torch.load(second, weights_only=False)
    second.write_bytes(second.read_bytes()[:-1000])
    (work_dir / '.iter_3.pth.partial').write_bytes(b'left by a killed run')
    log.write_text('')
    assert tools.run(*command, output=log) == 0
    message = log.read_text()
    assert f'{second} is damaged' in message and f'resuming from {first}' in message
    assert re.search('^iter 2/2 ', message, re.M) and not list(work_dir.glob('.*'))
    assert_same(torch.load(second, weights_only=False)['state_dict'], whole['state_dict'])
