"""The network inside what is wrapped around it."""

from __future__ import annotations

from typing import Any

from mmengine.model import BaseTTAModel, is_model_wrapper


def unwrapped(model: Any) -> Any:
    """The detector that is trained or tested.

    Args:
        model: of a runner; around the detector there may be ``DistributedDataParallel`` and
            test-time augmentation.

    Examples:
        >>> from torch import nn
        >>> layer = nn.Linear(1, 1)
        >>> unwrapped(layer) is layer
        True
    """
    while is_model_wrapper(model) or isinstance(model, BaseTTAModel):
        model = model.module
    return model
