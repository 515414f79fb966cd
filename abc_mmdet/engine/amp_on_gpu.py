"""Mixed precision where there is a GPU, and the same config on a CPU."""

import torch
from mmengine.optim import AmpOptimWrapper, OptimWrapper
from mmengine.registry import OPTIM_WRAPPERS

AMP_OPTIONS = ('loss_scale', 'dtype', 'use_fsdp')


@OPTIM_WRAPPERS.register_module()
def AmpOnGpuOptimWrapper(**options: object) -> OptimWrapper:
    """MMEngine's ``AmpOptimWrapper`` on a GPU, its plain ``OptimWrapper`` without one.

    ``AmpOptimWrapper`` refuses to be built on a CPU, which would tie a config to GPUs.
    """
    if torch.cuda.is_available():
        return AmpOptimWrapper(**options)
    return OptimWrapper(**{k: v for k, v in options.items() if k not in AMP_OPTIONS})
