"""Training of ABC in half precision stays finite. For a GPU as well, where there is one."""

from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.optim import OptimWrapper
from torch import Tensor

from abc_mmdet.engine import AmpOnGpuOptimWrapper
from mmdet.registry import MODELS
from mmdet.testing import demo_mm_inputs

ROOT = Path(__file__).parents[2]
ITERATIONS = 500
NWD = dict(type='FastSimOTAAssigner', iou_calculator=dict(type='NWDOverlaps2D', constant=12.0))


class Float16OnCpu(OptimWrapper):
    """MMEngine's ``AmpOptimWrapper``, which wants a GPU, on a CPU: float16 with a loss scaler."""

    def __init__(self, **options: object) -> None:
        super().__init__(**options)
        self.loss_scaler = torch.amp.GradScaler('cpu')
        self.num_overflows = 0

    def optim_context(self, model: torch.nn.Module) -> torch.autocast:
        return torch.autocast('cpu', torch.float16)

    def backward(self, loss: Tensor, **kwargs: object) -> None:
        self.loss_scaler.scale(loss).backward(**kwargs)
        self._inner_count += 1

    def step(self, **kwargs: object) -> None:
        self.loss_scaler.unscale_(self.optimizer)
        self._clip_grad()
        scale = self.loss_scaler.get_scale()
        self.loss_scaler.step(self.optimizer, **kwargs)
        self.loss_scaler.update()
        self.num_overflows += self.loss_scaler.get_scale() < scale


def train(optim_wrapper: object, device: str = 'cpu', **options: object) -> tuple[list, object]:
    """Losses of 500 iterations, every second image without an object; and the wrapper."""
    config = Config.fromfile(ROOT / 'configs/small/abc_synthetic.py').model
    config.backbone.widen_factor = 0.125
    config.neck.in_channels = [16, 32, 64, 128]
    config.bbox_head.aux_head.train_cfg = dict(assigner=NWD)
    config.bbox_head.arbiter = dict(mode='pcgrad', per='location')
    torch.manual_seed(0)
    model = MODELS.build(config).to(device).train()
    model.init_weights()
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    wrapper = optim_wrapper(optimizer=optimizer, clip_grad=dict(max_norm=10.0), **options)
    data = demo_mm_inputs(2, [[3, 64, 96]] * 2, num_items=[6, 0], num_classes=8)
    losses = []
    for _ in range(ITERATIONS):
        log = model.train_step({k: list(v) for k, v in data.items()}, wrapper)
        losses.append(log['loss'].item())
    values = [*model.state_dict().values()]
    assert all(value.isfinite().all() for value in values if value.is_floating_point())
    return losses, wrapper


def check(losses: list[float]) -> None:
    assert torch.tensor(losses).isfinite().all()
    assert sum(losses[-20:]) < 0.6 * sum(losses[:20]), 'it learns'


@pytest.mark.slow
def test_bfloat16_stays_finite() -> None:
    options = dict(dtype='bfloat16') if torch.cuda.is_available() else dict(cpu_dtype='bfloat16')
    device = 'cuda' if torch.cuda.is_available() else 'cpu'
    losses, _ = train(AmpOnGpuOptimWrapper, device, **options)
    check(losses)


@pytest.mark.slow
def test_float16_stays_finite() -> None:
    """On a CPU by a wrapper of this test: ours offers bfloat16 there, which needs no scaler."""
    if torch.cuda.is_available():
        losses, _ = train(AmpOnGpuOptimWrapper, 'cuda', loss_scale='dynamic', dtype='float16')
    else:
        losses, wrapper = train(Float16OnCpu)
        assert wrapper.num_overflows < 20
    check(losses)
