"""The optimizer: mixed precision where there is a GPU, the learning rate for another batch size."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from mmengine.logging import print_log
from mmengine.optim import AmpOptimWrapper, OptimWrapper
from mmengine.registry import OPTIM_WRAPPERS
from mmengine.runner import Runner
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
    """Autocast on a CPU. Only bfloat16, whose range needs no scaling of the loss.

    Examples:
        >>> model = nn.Linear(4, 1)
        >>> optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        >>> with AmpOnCpuOptimWrapper('bfloat16', optimizer=optimizer).optim_context(model):
        ...     model(torch.ones(1, 4)).dtype
        torch.bfloat16
    """

    def __init__(self, dtype: str, **options: object) -> None:
        if dtype != 'bfloat16':
            raise ValueError(f"cpu_dtype must be None or 'bfloat16', got {dtype!r}")
        super().__init__(**options)

    @contextmanager
    def optim_context(self, model: nn.Module) -> Iterator[None]:
        with super().optim_context(model), torch.autocast('cpu', torch.bfloat16):
            yield


_ENDS = ('eta_max', 'eta_min', 'min_value')


def scale_schedules(runner: Runner) -> None:
    """Scale what schedules of the learning rate name in absolute numbers, as the rate itself.

    MMEngine's ``auto_scale_lr`` scales the rate of the optimizer alone, which a schedule with
    ``eta_max`` replaces by its own. Call it before the schedules are built.
    """
    scaling = runner.auto_scale_lr or {}
    if not scaling.get('enable'):
        return
    loader = runner._train_dataloader  # private; the public one would be built
    batch = loader['batch_size'] if isinstance(loader, dict) else loader.batch_size
    ratio = runner.world_size * batch / scaling['base_batch_size']
    # That of the config is built again where a resumed run follows another schedule
    for schedulers in (runner.param_schedulers, runner.cfg.get('param_scheduler')):
        for scheduler in [schedulers] if isinstance(schedulers, dict) else schedulers or []:
            if isinstance(scheduler, dict) and _is_of_rate(scheduler):
                _scale(scheduler, ratio)


def _is_of_rate(scheduler: dict[str, Any]) -> bool:
    kind = scheduler.get('type', '')
    name = kind if isinstance(kind, str) else kind.__name__
    return name.endswith('LR') or scheduler.get('param_name') == 'lr'


def _scale(scheduler: dict[str, Any], ratio: float) -> None:
    for end in _ENDS:
        value = scheduler.get(end)
        if isinstance(value, (list, tuple)):
            scheduler[end] = [part * ratio for part in value]
        elif value is not None:
            scheduler[end] = value * ratio
