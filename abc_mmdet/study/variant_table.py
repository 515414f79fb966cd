"""Applies a table of variants to the experiment that all of them change.

An ablation is a folder with two configs: ``baseline.py``, the experiment that everything is
compared with, and ``variants.py``, which has it as ``_base_`` and a dict ``variants`` with an entry
per variant::

    variants = dict(
        baseline=dict(order=0, title='baseline', reason='What the others are compared with.'),
        slow=dict(
            order=1, title='half the rate', reason='Fine-tuning forgets less.',
            optim_wrapper=dict(optimizer=dict(lr=_base_.lr / 2))),
        larger=dict(order=2, title='slow, 1.25 x', reason='...', combines='slow', input_scale=1.25))

How an entry is written: :data:`DESCRIPTION`, :data:`OPTIONS`, pipelines and other lists by name
(:mod:`abc_mmdet.study.config_changes`), and whatever else a config has, merged as MMEngine merges
it with its base.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from mmengine.config import Config, ConfigDict

from abc_mmdet.apis.experiment import READ
from abc_mmdet.apis.run_length import LENGTHS, stretch
from abc_mmdet.errors import UserError

from .config_changes import DELETE, LOADERS, REGISTRIES, change_parts, change_pipelines, scale_input

BASELINE = 'baseline'
DESCRIPTION: dict[str, type | tuple[type, ...]] = dict(order=(int, float), title=str, reason=str)
"""What every entry has: its place in tables, its name there, and why it should help."""

OPTIONS = ('combines', 'input_scale', 'run_length')
"""Names of other entries that it has all changes of; factors of image sizes and of the length."""

Entry = Mapping[str, Any]
Path = tuple[str, ...]


def use_variant(namespace: dict[str, Any], name: str) -> None:
    """Make a table of variants a config that MMDetection's tools can train: its last line.

    ``use_variant(globals(), '{{$ABC_ABLATION_VARIANT:baseline}}')``. Of the baseline nothing is
    changed, and the config keeps the table, where the study reads it.

    Args:
        namespace: of the config file: ``_base_``, ``variants``, and where the changed fields go.
        name: of a variant.

    Raises:
        UserError: as :func:`resolve`.
    """
    base, table = namespace['_base_'], namespace['variants']
    config = resolve(base, table, name)
    namespace['work_dir'] = f'work_dirs/{name}'
    if name == BASELINE:
        return
    del namespace['variants']
    for field, value in config.to_dict().items():
        if value != base.get(field):
            # The file is still to be merged with its base, of which no field may come back
            namespace[field] = dict(value, **{DELETE: True}) if isinstance(value, dict) else value


def resolve(base: Mapping[str, Any], table: Mapping[str, Entry], name: str) -> Config:
    """The experiment of a variant.

    Args:
        base: the baseline.
        table: entries by name.
        name: of one of them.

    Raises:
        UserError: no such variant, an entry that is none or changes what is not there, or
            combined entries that change the same field differently.

    Examples:
        >>> base = dict(optim_wrapper=dict(optimizer=dict(lr=1.0)))
        >>> entry = dict(order=1, title='slow', reason='why not', optim_wrapper=dict(
        ...     optimizer=dict(lr=0.5)))
        >>> resolve(base, dict(slow=entry), 'slow').optim_wrapper.optimizer.lr
        0.5
    """
    if name not in table:
        near = difflib.get_close_matches(name, table, n=1)
        meant = f' Did you mean {near[0]}?' if near else ''
        raise UserError(f'variant {name}: the table has {", ".join(table)}.{meant}')
    order = _combined(table, name)
    _all_changes(table, name)
    config = Config(_unshared(base))
    factors: dict[str, Any] = {}
    for one in order:
        with _naming(one):
            for field, change in _unshared(table[one]).items():
                if field in OPTIONS:
                    factors[field] = change
                elif field not in DESCRIPTION:
                    _change(config, field, change)
    with _naming(name):
        if 'input_scale' in factors:
            scale_input(config, factors['input_scale'])
        if 'run_length' in factors:
            _change_length(config, factors['run_length'])
    return config


def _change(config: Config, field: str, change: Any) -> None:
    if field in LOADERS:
        _need_mapping(field, change)
        change_pipelines(config, field, change)
    elif (
        field in REGISTRIES and isinstance(change, Mapping) and isinstance(config.get(field), list)
    ):
        change_parts([config[field]], change, field)
    else:
        try:
            config.merge_from_dict({field: change})
        except (TypeError, KeyError) as error:
            raise UserError(f'{field}: {error}') from error


def _need_mapping(field: str, change: Any) -> None:
    if not isinstance(change, Mapping):
        raise UserError(f'{field}: give a dict of changes by the names of transforms.')


def _change_length(config: Config, factor: Any) -> None:
    if isinstance(factor, bool) or not isinstance(factor, (int, float)) or factor <= 0:
        raise UserError(f'run_length={factor!r}: give a number above 0, such as 0.5.')
    field = next(name for name in LENGTHS if config.train_cfg.get(name))
    length = max(round(config.train_cfg[field] * factor), 1)
    stretch(config, field, length)
    config.train_cfg[field] = length


def _combined(table: Mapping[str, Entry], name: str, inside: Path = ()) -> list[str]:
    """The names of all entries that make a variant, each once, what is combined before the rest."""
    if name in inside:
        raise UserError(f'variant {name}: it combines itself, through {" and ".join(inside)}.')
    names: list[str] = []
    for other in _named_in(table, name):
        for one in _combined(table, other, (*inside, name)):
            if one not in names:
                names.append(one)
    return [*names, name]


def _named_in(table: Mapping[str, Entry], name: str) -> tuple[str, ...]:
    combines = table[name].get('combines', ())
    names = (combines,) if isinstance(combines, str) else tuple(combines)
    for other in names:
        if other not in table:
            raise UserError(f'variant {name}: combines={other!r}, which the table does not have.')
    return names


def _all_changes(table: Mapping[str, Entry], name: str) -> dict[Path, Any]:
    """What a variant sets, by path, with what it combines.

    Raises:
        UserError: two combined entries set a field to different values, or one of them replaces
            what the other changes, and the variant itself does not say which it is to be.
    """
    check_entry(name, table[name])
    own = dict(_set_fields(table[name]))
    changes: dict[Path, Any] = {}
    for other in _named_in(table, name):
        theirs = _all_changes(table, other)
        for path, value in theirs.items():
            for earlier, former in changes.items():
                clash = _overlap(path, earlier) and not (path == earlier and value == former)
                if clash and not any(_overlap(path, mine) for mine in own):
                    shorter = path if len(path) < len(earlier) else earlier
                    raise UserError(
                        f'variant {name}: what it combines changes {".".join(shorter)} in two '
                        f'ways, of {other} and of {_owner(table, name, earlier)}. Say in this '
                        'entry which it is to be.'
                    )
        changes.update(theirs)
    return changes | own


def _overlap(a: Path, b: Path) -> bool:
    """Whether one lies below the other, or is the other."""
    shorter = min(len(a), len(b))
    return a[:shorter] == b[:shorter]


def _owner(table: Mapping[str, Entry], name: str, path: Path) -> str:
    """The combined entry that sets a path."""
    return next(o for o in _named_in(table, name) if path in _all_changes(table, o))


def check_entry(name: str, entry: Any) -> None:
    """Check that an entry has a description, and no fields that nothing would read.

    Raises:
        UserError: it has not.
    """
    with _naming(name):
        if not isinstance(entry, Mapping):
            raise UserError(f'{entry!r} is no entry: give a dict.')
        for word, kind in DESCRIPTION.items():
            if not isinstance(entry.get(word), kind):
                raise UserError(
                    f"{word}={entry.get(word)!r}: give order=NUMBER, title='WORDS', reason='WORDS'."
                )
        fields = (*DESCRIPTION, *OPTIONS, *LOADERS, *READ)
        for field in entry:
            if field not in fields:
                near = difflib.get_close_matches(field, fields, n=1)
                meant = f' Did you mean {near[0]}?' if near else ''
                raise UserError(
                    f'nothing reads a field {field}.{meant} An entry has {", ".join(DESCRIPTION)}, '
                    f'{", ".join(OPTIONS)}, {", ".join(LOADERS)}, and fields of a config, such as '
                    'model.'
                )


def _set_fields(entry: Entry, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    """The fields an entry sets; what it replaces or inserts as a whole is one."""
    for key, value in entry.items():
        if not path and (key in DESCRIPTION or key == 'combines'):
            continue
        if isinstance(value, Mapping) and value and not any(str(k).startswith('_') for k in value):
            yield from _set_fields(value, (*path, key))
        else:
            yield (*path, key), value


@contextmanager
def _naming(variant: str) -> Iterator[None]:
    try:
        yield
    except UserError as error:
        raise UserError(f'variant {variant}: {error}') from error


def _unshared(value: Any) -> Any:
    """A copy in which nothing stands in two places, so that a change is made in one."""
    if isinstance(value, Mapping):
        return ConfigDict({key: _unshared(item) for key, item in value.items()})
    if isinstance(value, (list, tuple)):
        return type(value)(_unshared(item) for item in value)
    return value
