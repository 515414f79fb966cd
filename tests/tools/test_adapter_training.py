"""A detector of images becomes one that remembers: from its weights to metrics, as users go."""

import re
import subprocess
from pathlib import Path

import pytest
import torch
from mmengine.config import Config

from abc_mmdet.models import ConvLSTMAdapter
from mmdet.registry import MODELS

from ..engine.tiny_runs import write_events
from ..warm_python import python

ROOT = Path(__file__).parents[2]
SMALL = ROOT / 'configs/small'
CONFIG = """
_base_ = '{base}'
loader = dict(num_workers=0, persistent_workers=False)
data_root = '{data}/'
train_dataloader = dict(
    loader, batch_size=3,
    dataset=dict(
        data_root=data_root, clip_length=3,
        pipeline=[
            dict(type='LoadEventClip'), dict(type='RandomRateClip', factors=(0.5, 1, 2)),
            dict(type='RandomFlipClip'), dict(type='RandomZoomClip'), dict(type='PackClipInputs')]))
val_dataloader = dict(loader, dataset=dict(data_root=data_root))
test_dataloader = dict(loader, dataset=dict(data_root=data_root))
model = dict(step_ms=50)
train_cfg = dict(max_iters=4, val_interval=4)
param_scheduler = []
default_hooks = dict(checkpoint=dict(interval=4), logger=dict(interval=1))
load_from = '{weights}'
"""


def run(tool: str, *arguments: object) -> str:
    done = subprocess.run(
        [python(), str(ROOT / tool), *map(str, arguments)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.mark.parametrize(
    ('name', 'frozen'),
    [
        pytest.param('abc_nano_adapter_synthetic_events', (), id='auxiliary task'),
        pytest.param(
            'nano_adapter_synthetic_events', ('backbone',), id='frozen', marks=pytest.mark.slow
        ),
    ],
)
def test_from_weights_of_images_to_metrics(
    name: str, frozen: tuple[str, ...], tmp_path: Path
) -> None:
    plain = Config.fromfile(ROOT / 'configs/_base_/models/yolox_nano_3level.py').model
    plain.bbox_head.num_classes = 80
    pretrained = MODELS.build(plain).state_dict()
    torch.save(dict(state_dict=pretrained), tmp_path / 'nano.pth')
    write_events(tmp_path / 'data')
    paths = dict(base=SMALL / f'{name}.py', data=tmp_path / 'data', weights=tmp_path / 'nano.pth')
    text = CONFIG.format(**paths).replace('step_ms=50', f'step_ms=50, frozen={frozen}')
    (tmp_path / 'config.py').write_text(text)
    work_dir = tmp_path / 'work'

    output = run('tools/train.py', tmp_path / 'config.py', '--work-dir', work_dir, '--verbose')
    assert re.search(r'backbone +282 of 282 +100 %', output)
    assert re.search(r'adapter +0 of 24 +0 %  inputs.0', output)
    losses = [float(value) for value in re.findall(r' loss: (\S+)', output)]
    assert len(losses) == 4 and all(0 < loss < 1e4 for loss in losses)
    assert ('aux_loss_cls' in output) == name.startswith('abc')

    state = torch.load(work_dir / 'iter_4.pth', weights_only=False)['state_dict']
    adapter = ConvLSTMAdapter([64, 64, 64])
    adapter.load_state_dict({k[8:]: v for k, v in state.items() if k.startswith('adapter.')})
    assert all(output.weight.abs().sum() > 0 for output in adapter.outputs), 'it has learned'
    weights = [name for name in pretrained if re.match(r'backbone.*conv\.weight', name)]
    unchanged = [name for name in weights if torch.equal(state[name], pretrained[name])]
    assert unchanged == (weights if frozen else [])

    config, checkpoint = tmp_path / 'config.py', work_dir / 'iter_4.pth'
    assert 'mAP' in run('tools/test.py', config, checkpoint, '--work-dir', work_dir)
    images = tmp_path / 'images'
    tool = 'tools/analysis_tools/browse_events.py'
    run(tool, config, checkpoint, '--out', images)
    assert len(list(images.glob('*.png'))) == 6, 'every step of the recording'
