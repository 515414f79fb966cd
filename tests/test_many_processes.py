"""Two processes on a CPU, joined by gloo, against one. The program they run: two_processes.py."""

import os
import socket
import subprocess
from pathlib import Path

import pytest
import torch

from . import two_processes as program
from .datasets.events.conftest import write_recording  # noqa: F401  a fixture
from .warm_python import python

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope='module')
def folder(tmp_path_factory, write_recording) -> Path:  # noqa: F811
    """Data sets of 1 to 7 recordings of different lengths, some labels at their ends."""
    folder = tmp_path_factory.mktemp('two_processes')
    for size in program.SIZES:
        for i in range(size):
            write_recording(folder / f'{size}/{i}', 3 + i, [1, 2 + i], seed=i)
    return folder


@pytest.fixture(scope='module')
def ranks(folder: Path) -> list[dict]:
    """What each of two processes saw."""
    with socket.socket() as free:
        free.bind(('127.0.0.1', 0))
        port = str(free.getsockname()[1])
    paths = os.pathsep.join([str(ROOT), str(ROOT / 'tests/engine/hooks')])
    programs = [
        subprocess.Popen(
            [python(), program.__file__, folder],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            env={
                **os.environ,
                **dict(PYTHONPATH=paths, OMP_NUM_THREADS='1', MASTER_ADDR='127.0.0.1'),
                **dict(MASTER_PORT=port, RANK=str(rank), LOCAL_RANK=str(rank), WORLD_SIZE='2'),
            },
        )
        for rank in range(2)
    ]
    try:
        errors = [process.communicate(timeout=300)[1].decode() for process in programs]
    finally:
        for process in programs:
            process.kill()
    assert [process.returncode for process in programs] == [0, 0], '\n'.join(errors)
    return [torch.load(folder / f'rank_{rank}.pt', weights_only=False) for rank in range(2)]


@pytest.mark.parametrize('size', program.SIZES)
def test_every_frame_is_evaluated_once(ranks: list[dict], folder: Path, size: int) -> None:
    """Images, and recordings, which processes have unequal numbers of frames of."""
    dataset = program.recordings(folder, size)
    for kind, frames, length in (
        ('images', program.image_frames(size), size),
        ('events', program.event_frames(dataset), len(dataset)),
    ):
        expected, alone = program.evaluated(frames, length)
        assert sorted(alone) == list(range(size if kind == 'images' else 2 * size))
        first, second = (rank[kind][size] for rank in ranks)
        assert sorted(first[1]) == sorted(alone), kind
        assert not second[1], 'one process computes the figures'
        assert str(first[0]) == str(second[0]) == str(expected), 'str as nan is not itself'
        if kind == 'images':
            assert first[1] == alone, 'in the order of the data set'


@pytest.mark.parametrize('case', program.LABELS)
def test_losses_and_gradients_are_those_of_the_whole_batch(ranks: list[dict], case: str) -> None:
    model, batch = program.image_detector()
    expected = program.learnt(model, batch(case))
    assert expected['aux_loss_bbox'] > 0
    for rank in ranks:
        assert rank[case].keys() == expected.keys()
        for name, value in expected.items():
            torch.testing.assert_close(rank[case][name], value, rtol=2e-3, atol=2e-5, msg=name)


def test_a_process_whose_clips_have_no_labels_learns_with_the_others(ranks: list[dict]) -> None:
    first, second = (rank['streamed'] for rank in ranks)
    for name, weight in first.items():
        assert torch.equal(weight, second[name]), name


def test_processes_share_out_the_order_of_one(ranks: list[dict]) -> None:
    alone = [program.take(sampler, 40) for sampler in program.training_samplers()]
    for expected, *parts in zip(alone, *(rank['orders'] for rank in ranks), strict=True):
        dealt = [index for pair in zip(*parts, strict=True) for index in pair]
        assert dealt == expected


def test_a_bad_batch_of_one_process_is_left_out_by_both(ranks: list[dict]) -> None:
    (first, _), (second, message) = (rank['bad batches']['skipped'] for rank in ranks)
    assert not message
    for name, weight in first.items():
        assert torch.equal(weight, second[name]) and weight.isfinite().all(), name


def test_a_bad_batch_of_one_process_stops_both_with_one_message(ranks: list[dict]) -> None:
    (_, message), (_, others) = (rank['bad batches']['stopped'] for rank in ranks)
    assert message == others
    assert 'in iteration 4 of 10: loss_a=nan, loss_b=nan.\n' in message
    assert 'images of process 0: image_6.jpg\n  images of process 1: image_7.jpg\n' in message
