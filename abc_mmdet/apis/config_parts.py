"""Where the parts of an experiment are in its config."""

from __future__ import annotations

from collections.abc import Iterator
from os import PathLike
from os.path import join
from typing import Any

from mmengine.config import Config

from abc_mmdet.errors import UserError
from abc_mmdet.utils.wrapped import walk
from mmdet.evaluation import CocoMetric
from mmdet.registry import METRICS

LOADERS = ('train_dataloader', 'val_dataloader', 'test_dataloader')


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


def of_test_data(config: Config, *fields: str) -> Any:
    """:func:`common` of the test data, or of the validation data of an experiment without.

    Raises:
        UserError: as :func:`common`.
    """
    loaders = ('test_dataloader', 'val_dataloader')
    loader = next((name for name in loaders if config.get(name)), loaders[0])
    return common(config, loader, *fields)


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


def by_epoch(config: Config) -> bool:
    """Whether training counts epochs."""
    loop = config.get('train_cfg') or {}
    return bool(loop.get('by_epoch')) or type_name(loop).endswith('EpochBasedTrainLoop')


def data_paths(dataset: Any, field: str) -> Iterator[tuple[str, str]]:
    """Config fields and paths of the files a data set needs, also inside wrappers.

    Raises:
        UserError: there is no data set, or a path that is none.
    """
    for name, part in walk(dataset, field):
        if not isinstance(part, dict):
            raise UserError(f'{name}={part!r} is no data set: give a dict with its type.')
        root = _path(part.get('data_root'), f'{name}.data_root')
        if part.get('ann_file'):
            yield f'{name}.ann_file', join(root, _path(part['ann_file'], f'{name}.ann_file'))
        prefixes = part.get('data_prefix') or {}
        if not isinstance(prefixes, dict):
            raise UserError(f'{name}.data_prefix={prefixes!r}: give a dict, as dict(img=FOLDER).')
        for kind, prefix in prefixes.items():
            if isinstance(prefix, str) and join(root, prefix):
                yield f'{name}.data_prefix.{kind}', join(root, prefix)


def _path(value: Any, field: str) -> str:
    if value is None or isinstance(value, (str, PathLike)):
        return str(value or '')
    raise UserError(
        f'{field}={value!r} is no path. Several annotation files are several data sets: '
        "dict(type='ConcatDataset', datasets=[...])."
    )
