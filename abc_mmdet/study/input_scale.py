"""The same experiment on larger or smaller images."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from mmengine.config import Config

from abc_mmdet.errors import UserError
from abc_mmdet.utils.wrapped import walk

MULTIPLE = 32
"""Sides stay multiples of YOLOX's coarsest stride."""

SIZES = dict(
    scale=MULTIPLE, crop_size=MULTIPLE, size=MULTIPLE, img_scale=MULTIPLE, border=MULTIPLE // 2
)
"""Fields of transforms that are sizes of images in pixels; ``border`` is half a side (Mosaic's)."""


def scale_input(config: Config, factor: Any) -> None:
    """Multiply all sizes of images in the pipelines of training, validation and test.

    Args:
        config: the experiment; changed in place.
        factor: such as 1.25; sides are rounded to multiples of 32.

    Raises:
        UserError: no positive number, or no pipeline has a size.

    Examples:
        >>> pipeline = [dict(type='Resize', scale=(512, 416), keep_ratio=True)]
        >>> config = Config(dict(test_dataloader=dict(dataset=dict(pipeline=pipeline))))
        >>> scale_input(config, 1.25)
        >>> config.test_dataloader.dataset.pipeline[0].scale
        (640, 512)
    """
    if isinstance(factor, bool) or not isinstance(factor, (int, float)) or factor <= 0:
        raise UserError(f'input_scale={factor!r}: give a number above 0, such as 1.25.')
    count = 0
    for loader in ('train_dataloader', 'val_dataloader', 'test_dataloader'):
        if config.get(loader) is None:
            continue
        for _, dataset in walk(config[loader].dataset):
            for transform in _dicts(dataset.get('pipeline')):
                for field, multiple in SIZES.items():
                    if isinstance(transform.get(field), (list, tuple)):
                        transform[field] = _scaled(transform[field], factor, multiple)
                        count += 1
    if not count:
        raise UserError(f'input_scale={factor}: no pipeline has a size ({", ".join(SIZES)}).')


def _scaled(value: Any, factor: float, multiple: int) -> Any:
    """A size, or several."""
    if isinstance(value, (list, tuple)):
        return type(value)(_scaled(item, factor, multiple) for item in value)
    return round(value * factor / multiple) * multiple


def _dicts(value: Any) -> Iterator[dict[str, Any]]:
    """All dicts of a pipeline, also of transforms inside others."""
    if isinstance(value, dict):
        yield value
    for child in value.values() if isinstance(value, dict) else value or ():
        if isinstance(child, (dict, list, tuple)):
            yield from _dicts(child)
