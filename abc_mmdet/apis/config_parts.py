"""Where the parts of an experiment are in its config."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from mmengine.config import Config

from abc_mmdet.datasets.wrapped import walk
from abc_mmdet.errors import UserError
from mmdet.evaluation import CocoMetric
from mmdet.registry import METRICS


def type_name(options: dict) -> str:
    """Name of the class that something is built from, whether it is given by name or as a class."""
    kind = options.get('type', '')
    return str(getattr(kind, '__name__', kind)).split('.')[-1]


def coco_evaluators(config: Config, field: str) -> Iterator[dict]:
    """Options of the evaluators that are COCO's, or of a class below it.

    Args:
        config: the experiment.
        field: ``val_evaluator`` or ``test_evaluator``: one, a list of them, or none.
    """
    evaluators = config.get(field) or []
    for options in [evaluators] if isinstance(evaluators, dict) else evaluators:
        kind = options.get('type')
        kind = METRICS.get(kind) if isinstance(kind, str) else kind
        if isinstance(kind, type) and issubclass(kind, CocoMetric):
            yield options


def common(config: Config, loader: str, *fields: str) -> Any:
    """What the data sets of a loader have in common: pipeline, class names, ...

    That of a wrapper counts for all inside it.

    Args:
        config: the experiment.
        loader: such as ``test_dataloader``.
        *fields: from the options of a data set to the value: ``'metainfo', 'classes'``.

    Returns:
        The value; None if none of them has it, or there is no such loader.

    Raises:
        UserError: data sets side by side have different ones.
    """
    if not config.get(loader):
        return None
    found: dict[str, Any] = {}
    for name, options in walk(config[loader]['dataset'], f'{loader}.dataset'):
        value = options
        for field in fields:
            value = (value or {}).get(field)
        if value is not None and not any(name.startswith(f'{outer}.') for outer in found):
            found[name] = value
    for name, value in found.items():
        first = next(iter(found))
        if value != found[first]:
            what = '.'.join(fields)
            raise UserError(
                f'{config.filename}: {first}.{what} and {name}.{what} differ, so it is not known '
                f'which of them is meant:\n  {found[first]}\n  {value}\n'
                'Name one of the data sets in the config, or make them equal.'
            )
    return next(iter(found.values()), None)
