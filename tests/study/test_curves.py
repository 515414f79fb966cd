import json
from pathlib import Path

import pytest

from abc_mmdet.engine.training_log import logged_scalars
from abc_mmdet.study.curves import POINTS, curves, training_cost


def session(folder: Path, name: str, entries: list[dict], tail: str = '') -> None:
    path = folder / name / 'vis_data/scalars.json'
    path.parent.mkdir(parents=True)
    path.write_text('\n'.join(map(json.dumps, entries)) + '\n' + tail)


def entry(step: int, loss: float, **more: float) -> dict:
    return dict(step=step, loss=loss, time=0.5, cpu_time=0.25, process_mb=100.0 + step, **more)


def test_later_sessions_count_and_torn_lines_do_not(tmp_path: Path) -> None:
    session(tmp_path, '20250101_000000', [entry(10, 9.0), entry(20, 8.0)], tail='{"step": 3')
    session(tmp_path, '20250102_000000', [entry(20, 7.0, conflict=0.5), entry(30, 6.0)])
    scalars = logged_scalars(tmp_path)
    assert curves(scalars) == {
        'iteration': [10, 20, 30],
        'conflict': [None, 0.5, None],
        'loss': [9.0, 7.0, 6.0],
    }
    cost = training_cost(scalars)
    assert cost == dict(train_seconds=15.0, train_cpu_seconds=7.5, peak_memory_mb=130.0)


def test_memory_of_the_gpu_if_there_is_one(tmp_path: Path) -> None:
    session(tmp_path, 'a', [entry(1, 1.0, memory=40), entry(2, 1.0, memory=50)])
    assert training_cost(logged_scalars(tmp_path))['peak_memory_mb'] == 50


def test_long_runs_are_thinned_out_and_empty_ones_are_empty(tmp_path: Path) -> None:
    session(tmp_path, 'a', [entry(i, 1.0) for i in range(1, 10 * POINTS)])
    assert POINTS <= len(curves(logged_scalars(tmp_path))['loss']) <= 2 * POINTS
    assert training_cost(logged_scalars(tmp_path))['train_seconds'] == pytest.approx(
        0.5 * (10 * POINTS - 1)
    )
    assert curves({}) == {'iteration': []} and training_cost({}) == {}
