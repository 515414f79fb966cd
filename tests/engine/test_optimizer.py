"""Which precision a machine without a GPU trains in."""

from pathlib import Path

import pytest
import torch
from mmengine.optim import OptimWrapper
from torch import nn

from abc_mmdet.engine import AmpOnGpuOptimWrapper, optimizer

pytestmark = pytest.mark.skipif(torch.cuda.is_available(), reason='about machines without a GPU')


def wrapper(model: nn.Module, **options: object) -> OptimWrapper:
    return AmpOnGpuOptimWrapper(optimizer=torch.optim.SGD(model.parameters(), lr=0.1), **options)


def test_a_cpu_trains_in_float32_and_ignores_what_is_for_gpus() -> None:
    model = nn.Linear(3, 2)
    optim_wrapper = wrapper(model, loss_scale='dynamic', dtype='bfloat16')
    with optim_wrapper.optim_context(model):
        assert model(torch.ones(1, 3)).dtype is torch.float32


def test_a_cpu_may_compute_in_bfloat16_while_weights_stay_float32(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(optimizer, 'has_bfloat16', lambda: True)
    torch.manual_seed(0)
    model = nn.Linear(3, 2)
    plain = nn.Linear(3, 2)
    plain.load_state_dict(model.state_dict())
    for net, options in ((model, dict(cpu_dtype='bfloat16')), (plain, {})):
        optim_wrapper = wrapper(net, accumulative_counts=2, **options)
        for scale in (1.0, 2.0):
            with optim_wrapper.optim_context(net):
                out = net(torch.full((1, 3), scale))
                assert out.dtype is (torch.bfloat16 if options else torch.float32)
                loss = out.float().square().mean()
            optim_wrapper.update_params(loss)
    assert model.weight.dtype is torch.float32
    torch.testing.assert_close(model.weight, plain.weight, atol=0.03, rtol=0.02)
    assert not torch.equal(model.weight, plain.weight), 'rounding is seen'


def test_a_processor_without_bfloat16_is_not_made_to_imitate_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(optimizer, 'has_bfloat16', lambda: False)
    model = nn.Linear(3, 2)
    with wrapper(model, cpu_dtype='bfloat16').optim_context(model):
        assert model(torch.ones(1, 3)).dtype is torch.float32


@pytest.mark.parametrize(
    ('cpuinfo', 'has'),
    [
        ('model name : a\nflags : fpu avx2 avx512_bf16 amx_tile\n', True),
        ('Features : asimd bf16\n', True),
        ('flags : fpu avx2 f16c\nbugs : bf16\n', False),
        ('', False),
    ],
)
def test_what_the_processor_says_of_itself(tmp_path: Path, cpuinfo: str, has: bool) -> None:
    (tmp_path / 'cpuinfo').write_text(cpuinfo)
    assert optimizer.has_bfloat16(tmp_path / 'cpuinfo') is has


def test_a_system_that_says_nothing_counts_as_without(tmp_path: Path) -> None:
    assert not optimizer.has_bfloat16(tmp_path / 'cpuinfo')


def test_float16_is_refused() -> None:
    with pytest.raises(ValueError, match="cpu_dtype must be None or 'bfloat16', got 'float16'"):
        wrapper(nn.Linear(3, 2), cpu_dtype='float16')
