"""tools/model_converters/rvt_to_abc.py from the command line."""

import os
import runpy
import subprocess
import sys
import types
from pathlib import Path

import pytest
import torch
from mmengine.config import Config

from abc_mmdet.models.rvt_checkpoint import PARTS
from mmdet.registry import MODELS

from ..warm_python import python

TOOL = Path(__file__).parents[2] / 'tools' / 'model_converters' / 'rvt_to_abc.py'
ENV = {**os.environ, 'PYTHONPATH': str(TOOL.parents[2]), 'PYTHONWARNINGS': 'ignore'}
CONFIG = """
custom_imports = dict(imports=['abc_mmdet'])
classes = ('car', 'pedestrian', 'two wheeler')
norm_cfg = dict(type='BN', momentum=0.1, eps=1e-5)
model = dict(
    type='SingleStageDetector',
    data_preprocessor=dict(type='EventDataPreprocessor'),
    backbone=dict(
        type='MaxViTRNN',
        arch=dict(embed_dim=8, dim_head=4), in_channels=4, out_indices=(1, 2, 3)),
    neck=dict(
        type='YOLOXPAFPN', in_channels=[16, 32, 64], out_channels=16, num_csp_blocks=1,
        norm_cfg=norm_cfg),
    bbox_head=dict(
        type='YOLOXHead', num_classes=3, in_channels=16, feat_channels=16, norm_cfg=norm_cfg))
"""


def run(*args: object) -> subprocess.CompletedProcess[str]:
    command = [python(), str(TOOL), *map(str, args)]
    return subprocess.run(command, env=ENV, capture_output=True, text=True, timeout=600)


def rvt_names(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The way back from our names to RVT's, for a checkpoint to convert."""
    csp = {'main_conv': 'conv1', 'short_conv': 'conv2', 'final_conv': 'conv3', 'blocks': 'm'}
    renamed = {}
    for name, value in state.items():
        rvt, ours = next(item for item in PARTS.items() if name.startswith(f'{item[1]}.'))
        parts = name.removeprefix(f'{ours}.').split('.')
        if '.C3_' in rvt:
            parts[0] = csp[parts[0]]
        renamed['.'.join([rvt, *parts])] = value
    return renamed


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path, torch.nn.Module]:
    """A checkpoint, a config and the model that both describe."""
    config = tmp_path / 'detector.py'
    config.write_text(CONFIG)
    model = MODELS.build(Config.fromfile(config).model)
    checkpoint = tmp_path / 'rvt.ckpt'
    state = {**rvt_names(model.state_dict()), 'metric.total': torch.zeros(1)}
    torch.save(dict(state_dict=state, epoch=3), checkpoint)
    return checkpoint, config, model


def test_converted_with_the_classes_of_a_data_set(
    files: tuple[Path, Path, torch.nn.Module], tmp_path: Path
) -> None:
    checkpoint, config, model = files
    out = tmp_path / 'new' / 'rvt.pth'
    done = run(checkpoint, out, '--config', config, '--dataset', '1mpx')
    assert done.returncode == 0, done.stderr
    assert 'not used: metric.total (no part of the detector)' in done.stdout
    assert 'partition_split' in done.stdout
    assert [path.name for path in out.parent.iterdir()] == ['rvt.pth'], 'no left-overs'

    written = torch.load(out, weights_only=True)
    assert written['meta']['dataset_meta']['classes'] == ('car', 'pedestrian', 'two wheeler')
    expected = model.state_dict()
    assert list(written['state_dict']) == list(expected)
    for name, value in written['state_dict'].items():
        # RVT's order is pedestrian, two wheeler, car
        rows = [2, 0, 1] if '.multi_level_conv_cls.' in name else ...
        assert torch.equal(value, expected[name][rows]), name


def test_a_checkpoint_with_its_schedule_in_it(
    files: tuple[Path, Path, torch.nn.Module],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As Lightning wrote them under PyTorch 2.0: a bound method, the schedule, its optimizer."""
    checkpoint, config, model = files
    optimizer = torch.optim.AdamW(model.parameters())
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 1e-3, 10, cycle_momentum=False)
    schedule.anneal_func = types.MethodType(type(schedule)._annealing_linear, schedule)
    state = torch.load(checkpoint, weights_only=True)['state_dict']
    content = dict(state_dict=state, lr_schedulers=[schedule.state_dict()], hparams_name='kwargs')
    torch.save(content, checkpoint)
    out = tmp_path / 'rvt.pth'
    monkeypatch.setattr(
        sys, 'argv', [str(TOOL), str(checkpoint), str(out), '--config', str(config)]
    )
    runpy.run_path(str(TOOL), run_name='__main__')
    written = torch.load(out, weights_only=True)['state_dict']
    expected = model.state_dict()
    assert list(written) == list(expected)
    assert all(torch.equal(value, expected[name]) for name, value in written.items())


class Intruder:
    """A pickle that leaves a trace when it is read without care."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple:
        return (os.mkdir, (str(self.trace),))


def test_refused_without_trust_and_nothing_written(
    files: tuple[Path, Path, torch.nn.Module],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    checkpoint, config, _ = files
    state = torch.load(checkpoint, weights_only=True)['state_dict']
    torch.save(dict(state_dict=state, callbacks=Intruder(tmp_path / 'trace')), checkpoint)
    before = sorted(tmp_path.iterdir())
    args = [TOOL, checkpoint, tmp_path / 'new' / 'rvt.pth', '--config', config]
    monkeypatch.setattr(sys, 'argv', [*map(str, args)])
    with pytest.raises(SystemExit, match='2'):
        runpy.run_path(str(TOOL), run_name='__main__')
    assert '--trust' in capsys.readouterr().err
    assert sorted(tmp_path.iterdir()) == before

    monkeypatch.setattr(sys, 'argv', [*map(str, args), '--trust'])
    runpy.run_path(str(TOOL), run_name='__main__')
    assert (tmp_path / 'trace').is_dir() and (tmp_path / 'new' / 'rvt.pth').is_file()
    assert 'in this order: car, pedestrian, two wheeler' in capsys.readouterr().out
