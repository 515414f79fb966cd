"""What a training logged: later sessions count, as curves and as cost."""

import json
from pathlib import Path

import numpy as np
import pytest

from abc_mmdet.engine.training_log import BINS, POINTS, curves, logged_scalars, training_cost
from abc_mmdet.errors import UserError
from abc_mmdet.report import training_curves
from abc_mmdet.report.chart_sections import conflict_charts, loss_charts, validation_charts


@pytest.fixture
def work_dir(tmp_path: Path) -> Path:
    """Logs of a training in two sessions, the second one continuing the first."""
    sessions = {'20260101_000000': range(10, 60, 10), '20260101_010000': range(50, 90, 10)}
    for session, steps in sessions.items():
        folder = tmp_path / 'work' / session / 'vis_data'
        folder.mkdir(parents=True)
        lines = [
            json.dumps(
                {
                    'loss': 100 / step,
                    'aux_loss_cls': 1 / step,
                    'conflict/s4_cosine': 0.1 if session.endswith('010000') else -0.1,
                    'conflict/s8_cosine': 0.2,
                    'conflict/s8_image_rate': 0.3,
                    'lr': 0.01,
                    'step': step,
                }
            )
            for step in steps
        ]
        lines.append('{"coco/bbox_mAP": 0.1, "step": 90}')
        (folder / 'scalars.json').write_text('\n'.join(lines))
    return tmp_path / 'work'


def test_sessions_are_one_curve(work_dir: Path) -> None:
    curves = {curve.key: curve for curve in training_curves('ours', work_dir)}
    assert set(curves) == {
        'loss', 'aux_loss_cls', 'conflict/s4_cosine', 'conflict/s8_cosine',
        'conflict/s8_image_rate', 'bbox_mAP'
    }  # fmt: skip
    assert curves['loss'].steps.tolist() == [10, 20, 30, 40, 50, 60, 70, 80]
    np.testing.assert_allclose(curves['loss'].values, 100 / curves['loss'].steps)
    assert curves['conflict/s4_cosine'].values.tolist() == [-0.1] * 4 + [0.1] * 4


def test_long_logs_are_averaged(tmp_path: Path) -> None:
    folder = tmp_path / '20260101_000000' / 'vis_data'
    folder.mkdir(parents=True)
    lines = [json.dumps(dict(loss=step % 2, step=step)) for step in range(1000)]
    (folder / 'scalars.json').write_text('\n'.join(lines))
    (curve,) = training_curves('a', tmp_path)
    assert len(curve.steps) == BINS
    assert curve.steps[0] < 10 and curve.steps[-1] > 990
    assert (np.diff(curve.steps) > 0).all()
    assert np.abs(curve.values - 0.5).max() < 0.05


def test_charts_of_a_log(work_dir: Path) -> None:
    curves = training_curves('ours', work_dir)
    conflicts = conflict_charts(curves, {'ours': 1})
    assert [chart.alt.split(' during')[0] for chart in conflicts] == [
        'Cosine of the two gradients', 'Share of images in conflict'
    ]  # fmt: skip
    assert 'ours s4: from -0.1 to 0.1' in conflicts[0].alt
    losses = loss_charts(curves, {'ours': 1})
    assert [chart.alt.split()[0] for chart in losses] == ['loss', 'aux_loss_cls']


def test_validations_are_at_their_iterations(tmp_path: Path) -> None:
    """Also of logs whose step of a validation is an epoch; a later session counts."""
    for session, lines in {
        '20260101_000000': [
            dict(loss=3.0, step=100),
            {'coco/bbox_mAP': 0.1, 'coco/bbox_mAP_s': 0.05, 'step': 0},
            dict(loss=2.0, step=200),
            {'coco/bbox_mAP': 0.2, 'coco/bbox_mAP_s': float('nan'), 'step': 1},
        ],
        '20260102_000000': [
            dict(loss=2.0, step=190),
            {'coco/bbox_mAP': 0.3, 'coco/bbox_mAP_s': 0.2, 'step': 200},
            dict(loss=1.0, step=290),
            {'coco/bbox_mAP': 0.25, 'coco/bbox_mAP_s': 0.3, 'coco/car_precision': 0.9, 'step': 300},
        ],
    }.items():
        folder = tmp_path / session / 'vis_data'
        folder.mkdir(parents=True)
        (folder / 'scalars.json').write_text('\n'.join(map(json.dumps, lines)))
    curves = training_curves('ours', tmp_path)
    found = {c.key: dict(zip(c.steps.tolist(), c.values.tolist(), strict=True)) for c in curves}
    assert found['bbox_mAP'] == {100: 0.1, 200: 0.3, 300: 0.25}
    assert found['bbox_mAP_s'] == {100: 0.05, 200: 0.2, 300: 0.3}
    charts = validation_charts(curves, {'ours': 1})
    assert [chart.alt.split(' of the')[0] for chart in charts] == ['mAP', 'AP small']
    assert 'ours: from 0.1 to 0.25' in charts[0].alt
    assert [chart.alt.split()[0] for chart in loss_charts(curves, {'ours': 1})] == ['loss']


def test_folders_without_a_log(tmp_path: Path) -> None:
    with pytest.raises(UserError, match='no such folder'):
        training_curves('a', tmp_path / 'nowhere')
    with pytest.raises(UserError, match='no log of a training'):
        training_curves('a', tmp_path)
    folder = tmp_path / '20260101_000000' / 'vis_data'
    folder.mkdir(parents=True)
    (folder / 'scalars.json').write_text('{"coco/bbox_mAP": 0.1, "step": 3}\n')
    (curve,) = training_curves('a', tmp_path)
    assert curve.key == 'bbox_mAP', 'shorter than the interval of the log'


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
