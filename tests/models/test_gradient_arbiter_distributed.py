"""The arbiter in two processes: this file is the test, and the program that each of them runs."""

import os
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.model import MMDistributedDataParallel
from mmengine.optim import OptimWrapper
from torch import Tensor, distributed, nn
from torch.nn.parallel import DistributedDataParallel

from abc_mmdet.models import GradientArbiter
from mmdet.registry import MODELS
from mmdet.testing import demo_mm_inputs
from mmdet.utils import register_all_modules

ROOT = Path(__file__).parents[2]
MODES = ('sum', 'gate', 'main_first', 'pcgrad')
MICRO_BATCHES = 2


class TwoTasks(nn.Module):
    """Two tasks on one level: features towards zero, and down. They conflict where x < 0."""

    def __init__(self, mode: str) -> None:
        super().__init__()
        self.neck, self.main, self.aux = (nn.Conv2d(3, 3, 1) for _ in range(3))
        for conv in (self.neck, self.main, self.aux):
            nn.init.dirac_(conv.weight)
            nn.init.zeros_(conv.bias)
        self.arbiter = GradientArbiter((8,), (8,), mode, per='level')

    def forward(self, x: Tensor) -> Tensor:
        level = self.neck(x)
        (for_main,), (for_aux,) = self.arbiter([level], [level])
        return (self.main(for_main) ** 2).mean() + self.aux(for_aux).mean()


def model_and_batches(mode: str) -> tuple[TwoTasks, Tensor]:
    """The same in every process: ``(MICRO_BATCHES, 4, 3, 4, 4)``, two images for each rank."""
    torch.manual_seed(0)
    model, images = TwoTasks(mode), torch.randn(MICRO_BATCHES, 4, 3, 4, 4) + 2
    images[:, 2:] *= -2
    return model, images


def trained(model: nn.Module, batches: Tensor, without_sync=nullcontext) -> dict:
    """Gradients after all micro-batches, the last of which synchronises, and their reports."""
    arbiter = next(m for m in model.modules() if isinstance(m, GradientArbiter))
    reports = []
    for i, images in enumerate(batches):
        with without_sync() if i < MICRO_BATCHES - 1 else nullcontext():
            model(images).backward()
        reports.append(arbiter.report())
    names = (name.removeprefix('module.') for name, _ in model.named_parameters())
    gradients = [parameter.grad for parameter in model.parameters()]
    return dict(zip(names, gradients, strict=True)) | {'reports': reports}


def detector_steps(rank: int, arbiter: dict) -> dict:
    """Four iterations of a small detector, two for each step; rank 1 has nothing to find."""
    config = Config.fromfile(ROOT / 'configs/small/abc_synthetic.py').model
    config.backbone.update(widen_factor=0.125)
    config.neck.update(in_channels=[16, 32, 64, 128], num_aux_levels=1)
    config.bbox_head.main_head.strides = (8, 16, 32)
    config.bbox_head.arbiter = arbiter
    torch.manual_seed(0)
    model = MODELS.build(config)
    torch.manual_seed(rank)
    wrapped = MMDistributedDataParallel(model.train(), broadcast_buffers=False)
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-3)
    optim_wrapper = OptimWrapper(optimizer, accumulative_counts=2)
    optim_wrapper.initialize_count_status(wrapped, 0, 4)
    logs = []
    for _ in range(4):
        boxes = [0, 0] if rank else [3, 5]
        data = demo_mm_inputs(2, [[3, 64, 96]] * 2, num_items=boxes, num_classes=8)
        logs.append(wrapped.train_step(data, optim_wrapper))
    conflicts = [{k: v for k, v in log.items() if 'conflict' in k} for log in logs]
    weights = {name: p.detach() for name, p in model.named_parameters()}
    return dict(conflicts=conflicts, weights=weights, checkpoint=list(wrapped.state_dict()))


def main(rank: int, folder: Path) -> None:
    torch.set_num_threads(1)
    register_all_modules(init_default_scope=True)
    distributed.init_process_group(
        'gloo', init_method=f'file://{folder}/rendezvous', rank=rank, world_size=2
    )
    seen = {}
    for mode in MODES:
        model, batches = model_and_batches(mode)
        wrapped = DistributedDataParallel(model)
        seen[mode] = trained(wrapped, batches[:, 2 * rank :][:, :2], wrapped.no_sync)
    for mode in ('detach', 'pcgrad'):
        arbiter = dict(type='GradientArbiter', mode=mode, per='level')
        seen[f'detector {mode}'] = detector_steps(rank, arbiter)
    torch.save(seen, folder / f'rank_{rank}.pt')
    distributed.destroy_process_group()


@pytest.fixture(scope='module')
def ranks(tmp_path_factory) -> list[dict]:
    """What each of two processes saw."""
    from ..warm_python import python  # not there where this file is the program

    folder = tmp_path_factory.mktemp('ranks')
    environment = {**os.environ, 'PYTHONPATH': str(ROOT), 'OMP_NUM_THREADS': '1'}
    programs = [
        subprocess.Popen(
            [python(), __file__, str(rank), str(folder)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            env=environment,
        )
        for rank in range(2)
    ]
    try:
        errors = [program.communicate(timeout=600)[1].decode() for program in programs]
    finally:
        for program in programs:
            program.kill()
    assert [program.returncode for program in programs] == [0, 0], '\n'.join(errors)
    return [torch.load(folder / f'rank_{rank}.pt', weights_only=True) for rank in range(2)]


@pytest.mark.parametrize('mode', MODES)
def test_ranks_decide_as_one_process_does(ranks: list[dict], mode: str) -> None:
    """Also with accumulated gradients, which are exchanged in the last backward pass alone."""
    model, batches = model_and_batches(mode)
    rates = [
        [r['conflict/s8_level_rate'].item() for r in trained(model, half)['reports']]
        for half in (batches[:, :2], batches[:, 2:])
    ]
    assert rates == [[0.0, 0.0], [1.0, 1.0]], 'on its own, one of the ranks sees no conflict'
    model.zero_grad()
    expected = trained(model, batches)
    reports = expected.pop('reports')
    assert all(report['conflict/s8_level_rate'] == 1.0 for report in reports)
    for rank in ranks:
        for name, gradient in expected.items():
            torch.testing.assert_close(rank[mode][name], gradient)
        for actual, report in zip(rank[mode]['reports'], reports, strict=True):
            torch.testing.assert_close(actual, report)


@pytest.mark.parametrize('mode', ['detach', 'pcgrad'])
def test_detectors_stay_in_step(ranks: list[dict], mode: str) -> None:
    first, second = (rank[f'detector {mode}'] for rank in ranks)
    for name, weight in first['weights'].items():
        assert torch.equal(weight, second['weights'][name]), name
    assert not any('probe' in name for name in first['checkpoint'])
    for rank in (first, second):
        assert rank['conflicts'][0] == {}
        for conflicts in rank['conflicts'][1:]:
            names = {f'conflict/s8_{name}' for name in ('cosine', 'norm_ratio', 'level_rate')}
            assert set(conflicts) == names, 'of the level that both heads see'
            assert all(value.isfinite() for value in conflicts.values())
            assert conflicts['conflict/s8_norm_ratio'] > 0
    assert first['conflicts'] == second['conflicts']


if __name__ == '__main__':
    main(int(sys.argv[1]), Path(sys.argv[2]))
