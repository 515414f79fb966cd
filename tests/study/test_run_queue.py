"""The queue with real processes that are quick: a stand-in keeps to the protocol of a run.

test_study_tool.py has the same with runs that train.
"""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from abc_mmdet.study.run_files import RunFiles
from abc_mmdet.study.run_queue import RunQueue
from abc_mmdet.study.variants import Run, Variant

STAND_IN = """
import json, os, signal, sys, threading, time
from pathlib import Path
folder, result, steps, fate = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
def watch():
    while os.read(0, 1): pass
    os._exit(1)
threading.Thread(target=watch, daemon=True).start()
signal.signal(signal.SIGTERM, lambda *_: os._exit(75))
with open(folder / 'history', 'a') as history:
    done = [int(p.stem[5:]) for p in folder.glob('iter_*.pth')]
    for step in range(max(done, default=0) + 1, steps + 1):
        print(step, file=history, flush=True)
        if fate == 'taken once' and not (folder / 'was_taken').exists():
            (folder / 'was_taken').touch()
            sys.exit(76)
        if fate == 'error':
            (folder / 'error.txt').write_text('ValueError: no such thing')
            sys.exit(1)
        if fate == 'killed' or fate == 'killed once' and step == 2 and not done:
            os.kill(os.getpid(), signal.SIGKILL)
        if fate == 'deaf':
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
        time.sleep(0.1)
        (folder / f'iter_{step}.pth').touch()
result.parent.mkdir(exist_ok=True)
result.write_text(json.dumps(dict(config='hash')))
"""


@pytest.fixture
def files(tmp_path: Path) -> RunFiles:
    (tmp_path / 'stand_in.py').write_text(STAND_IN)
    return RunFiles(tmp_path / 'results', tmp_path / 'work')


def runs_of(*fates: str, seeds: int = 1) -> list[Run]:
    """Runs whose title says what becomes of them."""
    return [
        Run(Variant(f'variant{i}', fate, i, '', 'hash'), seed)
        for seed in range(seeds)
        for i, fate in enumerate(fates)
    ]


def queue(files: RunFiles, steps: int = 2, **options) -> tuple[RunQueue, list[str]]:
    said: list[str] = []

    def command(run: Run, slot: int) -> tuple[list[str], dict[str, str]]:
        arguments = (files.folder(run), files.result(run), steps, run.variant.title)
        script = files.work.parent / 'stand_in.py'
        return [sys.executable, '-S', str(script), *map(str, arguments)], dict(os.environ)

    return RunQueue(files, command, say=said.append, **options), said


def history(files: RunFiles, run: Run) -> list[int]:
    return [int(line) for line in (files.folder(run) / 'history').read_text().split()]


def test_does_every_run_once_and_never_again(files: RunFiles) -> None:
    runs = runs_of('good', 'good', seeds=2)
    result = queue(files, jobs=2)[0].work(runs)
    assert set(result.finished) == set(runs) and not result.left
    assert all(history(files, run) == [1, 2] for run in runs)
    again, said = queue(files)
    assert again.work(runs).finished == [] and said == []
    assert all(history(files, run) == [1, 2] for run in runs)


def test_one_failure_does_not_stop_the_others(files: RunFiles) -> None:
    runs = runs_of('error', 'good')
    work, said = queue(files)
    result = work.work(runs)
    assert result.failed == runs[:1] and result.finished == runs[1:] and not result.left
    assert any('ValueError: no such thing' in line and 'log.txt' in line for line in said)
    assert files.failure(runs[0]) == 'ValueError: no such thing'
    queue(files)[0].work(runs)
    assert len(history(files, runs[0])) == 1, 'it is not tried again'
    files.forget_failure(runs[0])
    queue(files)[0].work(runs)
    assert len(history(files, runs[0])) == 2, 'unless asked for'


def test_a_failure_of_another_config_counts_no_more(files: RunFiles) -> None:
    (run,) = runs_of('error')
    queue(files)[0].work([run])
    assert files.is_settled(run)
    mended = Run(Variant('variant0', 'good', 0, '', 'another hash'), run.seed)
    assert not files.is_settled(mended)


def test_killed_processes_go_on_and_are_given_up_in_the_end(files: RunFiles) -> None:
    once, always = runs_of('killed once', 'killed')
    result = queue(files, steps=3)[0].work([once, always])
    assert history(files, once) == [1, 2, 2, 3]
    assert result.finished == [once] and result.failed == [always]
    assert 'signal 9, 3 times' in files.failure(always)


def test_a_run_of_another_queue_is_left_alone_for_a_while(files: RunFiles, monkeypatch) -> None:
    monkeypatch.setattr('abc_mmdet.study.run_queue.RETRY_TAKEN', 0.3)
    runs = runs_of('taken once', 'good', 'good')
    assert queue(files)[0].work(runs).finished == [runs[1], runs[2], runs[0]]


def test_ends_when_others_have_all_that_is_left(files: RunFiles) -> None:
    runs = runs_of('taken once')
    assert queue(files)[0].work(runs).left == runs


@pytest.mark.parametrize('fate', ['good', 'deaf'])
def test_pauses_in_time_and_goes_on_where_it_was(files: RunFiles, fate: str) -> None:
    first, second = runs_of(fate, fate)
    began = time.monotonic()
    result = queue(files, steps=300, seconds=1.0, grace=1.0)[0].work([first, second])
    assert time.monotonic() - began < 10
    assert result.left == [first, second] and not result.failed
    done = len(list(files.folder(first).glob('iter_*.pth')))
    assert done > 0 and not files.is_begun(second)
    # begun ones first, from where they were
    result = queue(files, steps=done + 2)[0].work([second, first])
    assert result.finished == [first, second]
    assert [step for step in history(files, first) if step > done + 1] == [done + 2]
    assert history(files, first).count(1) == 1


def test_runs_end_with_a_killed_queue(files: RunFiles, tmp_path: Path) -> None:
    """kill -9 of the queue leaves no process behind, and the next one goes on."""
    from ..warm_python import python  # here, as this file is part of a script below

    (run,) = runs_of('good')
    script = tmp_path / 'queue_process.py'
    code = Path(__file__).read_text() + (
        '\nfiles = RunFiles(Path(sys.argv[1]), Path(sys.argv[2]))'
        "\nqueue(files, steps=200)[0].work(runs_of('good'))"
    )
    script.write_text(code)
    with subprocess.Popen([python(), script, files.results, files.work]) as process:
        deadline = time.monotonic() + 600
        while not (files.folder(run) / 'iter_2.pth').exists():
            assert time.monotonic() < deadline and process.poll() is None
            time.sleep(0.05)
        process.send_signal(signal.SIGKILL)
    time.sleep(1)
    done = len(list(files.folder(run).glob('iter_*.pth')))
    time.sleep(0.5)
    assert len(list(files.folder(run).glob('iter_*.pth'))) == done, 'nobody is at it any more'
    queue(files, steps=done + 1)[0].work([run])
    assert history(files, run)[-1] == done + 1 and history(files, run).count(1) == 1
    assert json.loads(files.result(run).read_text())
