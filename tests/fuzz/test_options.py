"""Overrides of configs and lists of classes with anything in them."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from mmengine.config import Config

from abc_mmdet.apis import config_mistakes, load_experiment
from abc_mmdet.apis.experiment import READ
from abc_mmdet.apis.options import ConfigOptions
from mmdet.registry import MODELS

from .case import cases, nasty, outcome, pick

CONFIG = str(Path(__file__).parents[2] / 'configs/small/abc_synthetic.py')


@cases(0.05)
@given(
    st.lists(st.text('ab.=,()[]"\' 12-_\0é', max_size=14), min_size=1, max_size=3)
    | st.lists(st.text(min_size=1, max_size=8), min_size=1, max_size=2)
)
@example(['a=),('])
@example(['a=[1,2'])
@example(['a'])
@example(['.a=1'])
def test_command_line(texts: list[str]) -> None:
    parser = ArgumentParser()
    parser.add_argument('--cfg-options', nargs='+', action=ConfigOptions)
    texts = [f' {text}' if text.startswith('-') else text for text in texts]
    found = outcome(lambda: parser.parse_args(['--cfg-options', *texts]), '--cfg-options')
    if found is not None:
        pairs = dict(text.split('=', 1) for text in texts)
        assert list(found.cfg_options) == list(pairs)
        for key, text in pairs.items():
            if text.isascii() and text.isdigit():
                assert found.cfg_options[key] == int(text)


def paths(value: Any, path: str = '') -> Iterator[str]:
    """Every field of a config."""
    if path:
        yield path
    if isinstance(value, dict):
        for key, child in value.items():
            yield from paths(child, f'{path}.{key}' if path else str(key))
    elif isinstance(value, (list, tuple)):
        for i, child in enumerate(value):
            yield from paths(child, f'{path}.{i}')


FIELDS = sorted(paths(Config.fromfile(CONFIG).to_dict()))


def at(value: Any, path: str) -> Any:
    """The value of a field."""
    for part in path.split('.'):
        value = value[int(part) if isinstance(value, (list, tuple)) else part]
    return value


def same(a: Any, b: Any) -> bool:
    """Equal, also where it is no number; MMEngine makes other dicts of dicts."""
    return repr(a) == repr(b) or a == b


@cases(0.02)
@given(data=st.data())
def test_fields(data: st.DataObject) -> None:
    field = pick(data, FIELDS, 'field')
    if pick(data, [True, False, False], 'new'):
        field = f'{field}.{data.draw(st.text("abc.0123 ", max_size=4), label="end")}'
    value = data.draw(nasty(), label='value')
    config = outcome(lambda: load_experiment(CONFIG, {field: value}), CONFIG, field, 'cfg-options')
    if config is not None and field.split('.')[0] in READ and not isinstance(value, dict):
        assert same(at(config, field), value)


NAMES = st.lists(st.sampled_from(['car', 'bus', 'a', '', 'Car', 'ä', 1, None]), max_size=4)


@cases(0.02)
@given(
    classes=NAMES | NAMES.map(tuple) | nasty(),
    small=NAMES | nasty() | st.just('all'),
    field=st.sampled_from(['classes', 'small_classes', 'both', 'head']),
)
def test_classes(classes: Any, small: Any, field: str) -> None:
    options = {'classes': classes, 'small_classes': small}
    if field == 'head':
        options = {f'model.bbox_head.{name}': value for name, value in options.items()}
    elif field != 'both':
        options = {field: options[field]}

    def build() -> Any:
        config = load_experiment(CONFIG, options)
        with config_mistakes(CONFIG):
            return MODELS.build(config.model.bbox_head)

    head = outcome(build, CONFIG, 'classes')
    if head is not None:
        names = head.classes
        assert len(set(names)) == len(names) > 0
        assert set(head.small_classes.names) <= set(names)
        assert head.num_classes == len(names)
        if field != 'small_classes' and isinstance(classes, (list, tuple)):
            assert list(names) == list(classes)
        if field != 'classes' and isinstance(small, (list, tuple)):
            assert set(head.small_classes.names) == set(small)


@pytest.mark.parametrize('field', ['model.backbone.widen_factor', 'model.neck.in_channels'])
@cases(0.005)
@given(value=nasty())
def test_models(field: str, value: Any) -> None:
    def build() -> None:
        config = load_experiment(CONFIG, {field: value})
        with config_mistakes(CONFIG):
            MODELS.build(config.model)

    is_small = not isinstance(value, (int, float)) or not abs(value) > 4  # else it takes all memory
    if is_small:
        outcome(build, CONFIG, field.split('.')[-1])
