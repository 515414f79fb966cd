"""Changes of a config: of parts by their names, never by number, and of the size of its input.

A part is named by its type. In a table of variants (:mod:`abc_mmdet.study.variant_table`)::

    train_pipeline=dict(
        RandomFlip=dict(prob=[0.25] * 3),              # sets fields
        RandomResize=dict(_delete_=True, scale=...),   # replaces all fields, MMEngine's _delete_
        RandomTranspose=dict(_after_='RandomFlip'),    # inserts; or _before_
        PhotoMetricDistortion=None)                    # leaves out
"""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from mmengine.config import Config, ConfigDict

from abc_mmdet.apis.config_parts import type_name
from abc_mmdet.errors import UserError
from abc_mmdet.utils.wrapped import walk
from mmdet.registry import HOOKS, PARAM_SCHEDULERS, TRANSFORMS

BEFORE, AFTER, DELETE = '_before_', '_after_', '_delete_'
MIX = 'MultiImageMixDataset'
MIXES = ('Mosaic', 'MixUp', 'YOLOXMixUp', 'CopyPaste')
"""MMDetection's transforms that cannot do without it. Others may, as SmallObjectCopyPaste does."""

REGISTRIES = dict(
    train_pipeline=TRANSFORMS,
    test_pipeline=TRANSFORMS,
    custom_hooks=HOOKS,
    param_scheduler=PARAM_SCHEDULERS,
)
"""Fields whose parts have names, and where those are registered."""

LOADERS = dict(
    train_pipeline=('train_dataloader',), test_pipeline=('val_dataloader', 'test_dataloader')
)
Parts = list[dict[str, Any]]


def change_parts(lists: Sequence[Parts], changes: Mapping[str, Any], field: str) -> None:
    """Change the parts of one list, or of several that follow each other.

    Args:
        lists: of configs with a ``type``; changed in place.
        changes: what becomes of a part, by its name, as at the top of this file.
        field: of :data:`REGISTRIES`, for messages and to know the classes.

    Raises:
        UserError: no part, or several, of a name; no such class; a field the class does not have.

    Examples:
        >>> pipeline = [dict(type='RandomFlip', prob=0.5), dict(type='PackDetInputs')]
        >>> change_parts([pipeline], dict(RandomFlip=dict(prob=0.1)), 'train_pipeline')
        >>> change_parts([pipeline], dict(RandomTranspose=dict(_after_='RandomFlip')),
        ...              'train_pipeline')
        >>> [part['type'] for part in pipeline], pipeline[0]['prob']
        (['RandomFlip', 'RandomTranspose', 'PackDetInputs'], 0.1)
    """
    for name, change in changes.items():
        where = f'{field}.{name}'
        if change is None:
            parts, index = _find(lists, name, where, field)
            del parts[index]
            continue
        if not isinstance(change, Mapping):
            raise UserError(
                f'{where}={change!r}: give a dict of its fields, or None to leave it out.'
            )
        change = dict(change)
        before, after = change.pop(BEFORE, None), change.pop(AFTER, None)
        _check_fields(name, change, where, field)
        if before is not None and after is not None:
            raise UserError(f'{where}: {BEFORE} or {AFTER}, not both.')
        if before is None and after is None:
            parts, index = _find(lists, name, where, field)
            parts[index] = _merged(parts[index], change, name, where)
        else:
            parts, index = _find(lists, str(before or after), where, field)
            parts.insert(index + (before is None), ConfigDict(dict(type=name) | change))


def change_pipelines(config: Config, field: str, changes: Mapping[str, Any]) -> None:
    """Change the transforms of a config's ``train_pipeline`` or ``test_pipeline``.

    They are changed where MMDetection reads them: in the data sets of the loaders, wrapped or not.
    A transform that mixes images (:data:`MIXES`) puts what comes before it into a
    ``MultiImageMixDataset``, as MMDetection wants it.

    Args:
        config: the experiment; changed in place.
        field: ``train_pipeline`` or ``test_pipeline``.
        changes: see :func:`change_parts`.

    Raises:
        UserError: as :func:`change_parts`.
    """
    for loader in LOADERS[field]:
        if config.get(loader) is None:
            continue
        options = config[loader]
        datasets = [part for _, part in walk(options.dataset) if part.get('pipeline') is not None]
        change_parts([part.pipeline for part in datasets], changes, field)
        for dataset in datasets:
            numbers = [i for i, part in enumerate(dataset.pipeline) if type_name(part) in MIXES]
            if numbers and type_name(dataset) != MIX:
                rest = dataset.pipeline[numbers[0] :]
                dataset.pipeline = dataset.pipeline[: numbers[0]]
                options.dataset = ConfigDict(type=MIX, dataset=options.dataset, pipeline=rest)


def _find(lists: Sequence[Parts], name: str, where: str, field: str) -> tuple[Parts, int]:
    """The list and the place of the only part of this name."""
    found = [
        (parts, i) for parts in lists for i, part in enumerate(parts) if type_name(part) == name
    ]
    if len(found) == 1:
        return found[0]
    names = [type_name(part) for parts in lists for part in parts]
    if found:
        raise UserError(f'{where}: {field} has {len(found)} {name}, so none is meant by its name.')
    raise UserError(
        f'{where}: {field} has no {name}; it has {", ".join(names) or "nothing"}. '
        f'What is to be added says where: {BEFORE} or {AFTER}.'
    )


def _merged(part: dict[str, Any], change: dict[str, Any], name: str, where: str) -> dict[str, Any]:
    """A part with other fields, as MMEngine merges a config with its base."""
    config = Config(dict(part=part))
    try:
        config.merge_from_dict(dict(part=change))
    except TypeError as error:
        raise UserError(f'{where}: {error}') from error
    config.part.setdefault('type', name)
    return config.part


def _check_fields(name: str, change: Mapping[str, Any], where: str, field: str) -> None:
    """Refuse a class that is not registered, and fields that it does not take."""
    kind = REGISTRIES[field].get(name)
    if kind is None:
        raise UserError(f'{where}: there is no {name}, or what registers it is not imported.')
    taken = _parameters(change.get('type', kind), kind)
    for key in change:
        if taken is not None and key not in taken | {'type', DELETE}:
            near = difflib.get_close_matches(key, taken, n=1)
            meant = f' Did you mean {near[0]}?' if near else f' It has {", ".join(sorted(taken))}.'
            raise UserError(f'{where}.{key}: {name} has no such field.{meant}')


def _parameters(named: Any, kind: Any) -> set[str] | None:
    """Names that a class takes; None if it takes any, or another class is put in its place."""
    if named is not kind and named != kind.__name__:
        return None
    names: set[str] = set()
    for base in kind.__mro__:
        if '__init__' not in vars(base):
            continue
        parameters = inspect.signature(base.__init__).parameters.values()
        names |= {p.name for p in parameters if p.kind is not p.VAR_KEYWORD} - {'self'}
        if not any(p.kind is p.VAR_KEYWORD for p in parameters):
            return names
    return None


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
