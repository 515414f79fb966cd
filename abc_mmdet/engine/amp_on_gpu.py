"""Mixed precision where there is a GPU, and the same config on a CPU."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from mmengine.logging import print_log
from mmengine.optim import AmpOptimWrapper, OptimWrapper
from mmengine.registry import OPTIM_WRAPPERS
from torch import nn

AMP_OPTIONS = ('loss_scale', 'dtype', 'use_fsdp')
# What Linux calls instructions for bfloat16: of Intel, of Intel and AMD, of ARM
BFLOAT16_FLAGS = {'amx_bf16', 'avx512_bf16', 'bf16'}


def has_bfloat16(cpuinfo: Path = Path('/proc/cpuinfo')) -> bool:
    """Whether the processor computes in bfloat16; not known means no.

    One that does not imitates it: training is ten times slower than in float32 then.
    """
    if not cpuinfo.is_file():
        return False
    lines = cpuinfo.read_text().splitlines()
    flags = next((line for line in lines if line.startswith(('flags', 'Features'))), '')
    return not BFLOAT16_FLAGS.isdisjoint(flags.split())


@OPTIM_WRAPPERS.register_module()
def AmpOnGpuOptimWrapper(cpu_dtype: str | None = None, **options: object) -> OptimWrapper:
    """MMEngine's ``AmpOptimWrapper`` on a GPU, its plain ``OptimWrapper`` without one.

    ``AmpOptimWrapper`` refuses to be built on a CPU, which would tie a config to GPUs.

    Args:
        cpu_dtype: 'bfloat16' for mixed precision on a CPU as well, where the processor has
            instructions for it (1.4 to 1.8 times as fast with AMX); float32 where it has none.
        options: of either wrapper.
    """
    if torch.cuda.is_available():
        return AmpOptimWrapper(**options)
    options = {k: v for k, v in options.items() if k not in AMP_OPTIONS}
    if cpu_dtype is None:
        return OptimWrapper(**options)
    wrapper = AmpOnCpuOptimWrapper(cpu_dtype, **options)
    if has_bfloat16():
        return wrapper
    print_log('This processor has no instructions for bfloat16: training in float32.', 'current')
    return OptimWrapper(**options)


def precision_on_cpu(cpu_dtype: str | None) -> str:
    """In what :func:`AmpOnGpuOptimWrapper` trains without a GPU."""
    return cpu_dtype if cpu_dtype and has_bfloat16() else 'float32'


class AmpOnCpuOptimWrapper(OptimWrapper):
    """Autocast on a CPU. Only bfloat16, whose range needs no scaling of the loss."""

    def __init__(self, dtype: str, **options: object) -> None:
        if dtype != 'bfloat16':
            raise ValueError(f"cpu_dtype must be None or 'bfloat16', got {dtype!r}")
        super().__init__(**options)

    @contextmanager
    def optim_context(self, model: nn.Module) -> Iterator[None]:
        with super().optim_context(model), torch.autocast('cpu', torch.bfloat16):
            yield
