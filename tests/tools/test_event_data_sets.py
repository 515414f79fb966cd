"""From a published data set of events to a training, with the tools as processes."""

import json
import os
import runpy
import subprocess
from pathlib import Path

import pytest
from mmengine.config import Config
from mmengine.registry import init_default_scope

from mmdet.registry import DATASETS

from ..datasets.events.layouts.miniatures import (
    EV_UAV_BOXES,
    write_ev_uav,
    write_fred,
)
from ..warm_python import python

ROOT = Path(__file__).parents[2]
CONVERTER = 'tools/dataset_converters/event_recordings.py'
CONFIG = """
_base_ = [
    '{root}/configs/_base_/models/abc_maxvit_rnn.py',
    '{root}/configs/_base_/datasets/ev_uav_events.py',
    '{root}/configs/_base_/schedules/small.py',
]
data_root = '{data}/'
loader = dict(batch_size=2, num_workers=0, persistent_workers=False, dataset=dict(
    data_root=data_root))
train_dataloader = loader
val_dataloader = loader
test_dataloader = loader
model = dict(
    backbone=dict(arch=dict(_delete_=True, embed_dim=8, dim_head=8), partition_split=1),
    neck=dict(in_channels=[8, 16, 32, 64], out_channels=16, num_csp_blocks=1),
    bbox_head=dict(
        classes={{{{_base_.classes}}}},
        small_classes={{{{_base_.small_classes}}}},
        main_head=dict(in_channels=16, feat_channels=16, stacked_convs=1),
        aux_head=dict(in_channels=16, feat_channels=16)),
    test_cfg=dict(score_thr=0.0))
train_cfg = dict(max_iters=3, val_interval=3)
param_scheduler = []
custom_hooks = []
default_hooks = dict(checkpoint=dict(interval=3), logger=dict(interval=1))
"""


def run(*command: object) -> tuple[int, str, str]:
    result = subprocess.run(
        [python(), *map(str, command)],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={**os.environ, 'PYTHONPATH': str(ROOT), 'PYTHONWARNINGS': 'ignore'},
    )
    assert 'Traceback' not in result.stderr, result.stderr
    return result.returncode, result.stdout, result.stderr


@pytest.fixture(scope='module')
def converted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """EV-UAV's miniature, a recording in each split."""
    raw = tmp_path_factory.mktemp('ev_uav')
    for split in ('train', 'val', 'test'):
        write_ev_uav(raw / split / f'{split}_000.npz')
    out = raw / 'converted'
    options = ('--dataset', 'ev-uav', '--downsample', 'none', '--workers', 1)
    code, stdout, stderr = run(CONVERTER, raw, out, *options)
    assert code == 0, stderr
    assert '3 of them labelled, 0 of these without any event, 1 without any box' in stdout
    report = json.loads((out / 'conversion_report.json').read_text())
    assert report['splits']['val']['boxes']['uav']['very tiny'] == 3
    return out


def test_clips_have_the_boxes_of_the_events(converted: Path) -> None:
    init_default_scope('mmdet')
    config = Config.fromfile(ROOT / 'configs/_base_/datasets/ev_uav_events.py')
    dataset = DATASETS.build(dict(config.val_dataloader.dataset, data_root=f'{converted}/'))
    steps = [dataset[i]['data_samples'].video_data_samples[0] for i in range(len(dataset))]
    assert len(steps) == 3
    for sample, boxes in zip(steps, EV_UAV_BOXES.values(), strict=True):
        corners = [[x, y, x + w, y + h] for x, y, w, h, _ in boxes]
        assert sample.gt_instances.bboxes.tolist() == corners
        assert sample.gt_instances.labels.tolist() == [0] * len(boxes)
        assert sample.ori_shape == (260, 346)


@pytest.mark.slow
def test_a_short_training(converted: Path, tmp_path: Path) -> None:
    config = tmp_path / 'tiny.py'
    config.write_text(CONFIG.format(root=ROOT, data=converted))
    code, _, stderr = run('tools/train.py', config, '--work-dir', tmp_path / 'run')
    assert code == 0, stderr
    assert (tmp_path / 'run' / 'iter_3.pth').is_file()
    (scalars,) = (tmp_path / 'run').glob('*/vis_data/scalars.json')
    lines = [json.loads(line) for line in scalars.read_text().splitlines()]
    assert [line['loss'] > 0 for line in lines if 'loss' in line] == [True] * 3
    assert 'coco/bbox_mAP' in lines[-1]


@pytest.mark.parametrize(
    ('dataset', 'options', 'window_ms', 'step_ms'),
    [
        ('etram', [], 50, 50),
        ('pedro', [], 40, 40),
        ('pedro', ['--window-ms', '20', '--step-ms', '10'], 20, 10),
        ('dsec-detection', ['--step-ms', '25'], 50, 25),
    ],
)
def test_windows_are_those_of_the_data_set(
    dataset: str,
    options: list[str],
    window_ms: int,
    step_ms: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tool = runpy.run_path(str(ROOT / CONVERTER))
    monkeypatch.setattr(
        'sys.argv', ['event_recordings.py', 'raw', 'out', '--dataset', dataset, *options]
    )
    settings = tool['settings_of'](tool['parse_args']())
    assert (settings.histogram.window_ms, settings.step_ms) == (window_ms, step_ms)


@pytest.mark.parametrize(
    ('dataset', 'options', 'message'),
    [
        ('pedro', (), 'It looks like FRED (--dataset fred), not PEDRo.'),
        ('etram', (), 'It looks like FRED (--dataset fred), not eTraM, 1 Mpx or Gen1.'),
        ('fred', ('--step-ms', 40), '--step-ms 40: it must divide 100.'),
        ('pedro', ('--step-ms', 50), '--step-ms 50: it must divide 40.'),
    ],
)
def test_mistakes(dataset: str, options: tuple, message: str, tmp_path: Path) -> None:
    write_fred(tmp_path / 'FRED' / 'train' / '0')
    out = tmp_path / 'out'
    code, _, stderr = run(CONVERTER, tmp_path / 'FRED', out, '--dataset', dataset, *options)
    assert code == 2
    assert message in stderr.split('error: ', 1)[1]
    assert not out.exists()
