"""The network, and the data sets, inside what is wrapped around them."""

from __future__ import annotations

from collections.abc import Iterator
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


_FIELDS = ('datasets', 'dataset')
"""Where MMEngine's and MMDetection's wrappers keep what they wrap, as options and as attributes."""


def walk(dataset: Any, name: str = 'dataset') -> Iterator[tuple[str, Any]]:
    """A data set and all that it wraps, at any depth, the outermost first.

    Args:
        dataset: its config, or the data set itself.
        name: of the field it is in.

    Yields:
        The field, such as ``dataset.datasets[1].dataset``, and config or data set.
    """
    yield name, dataset
    for field in _FIELDS:
        inner = dataset.get(field) if isinstance(dataset, dict) else getattr(dataset, field, None)
        if isinstance(inner, (list, tuple)):
            for i, child in enumerate(inner):
                yield from walk(child, f'{name}.{field}[{i}]')
        elif inner is not None:
            yield from walk(inner, f'{name}.{field}')


def leaves(dataset: Any) -> list[Any]:
    """Those that wrap nothing: where images and annotations are."""
    parts = list(walk(dataset))
    fields = [field for field, _ in parts]
    return [part for field, part in parts if not any(f.startswith(f'{field}.') for f in fields)]
