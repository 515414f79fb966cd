"""The table of variants: every entry, at every size, in the documents and in the results."""

import json
import re
from functools import cache
from pathlib import Path

import pytest

from abc_mmdet.study.variants import Ablation, use_variables

from .steps import train_and_predict

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / 'configs/ablation_coco'
NAMES = list(Ablation(FOLDER).table)
RESULTS = (ROOT / 'docs/results.md').read_text()


@cache
def ablation(size: str = 'cpu', data: str = 'hituav') -> Ablation:
    with pytest.MonkeyPatch.context() as patch:
        for variable in ('ABC_ABLATION_SIZE', 'ABC_ABLATION_DATA'):
            patch.setenv(variable, '')  # to be put back
        use_variables(FOLDER, size, data)
        return Ablation(FOLDER)


@pytest.mark.parametrize('name', NAMES)
def test_every_variant_trains_and_predicts(name: str) -> None:
    train_and_predict(ablation().config(name))


@pytest.mark.parametrize('name', NAMES)
def test_a_variant_is_the_same_at_every_size(name: str) -> None:
    """A size changes how large everything is, not what a variant is."""
    small, large = ablation('cpu').config(name), ablation('gpu').config(name)
    assert small.train_cfg.max_iters < large.train_cfg.max_iters
    assert parts(small.model) == parts(large.model)
    assert small.val_evaluator == large.val_evaluator


def parts(config: dict) -> dict:
    """A model's config without what a size may change."""
    changed = ('widen_factor', 'in_channels', 'out_channels', 'feat_channels', 'use_depthwise')
    return {
        key: parts(value) if isinstance(value, dict) else value
        for key, value in config.items()
        if key not in changed
    }


def test_orders_are_places() -> None:
    orders = [entry['order'] for entry in ablation().table.values()]
    assert len(set(orders)) == len(orders)


def test_the_table_of_the_documents_is_that_of_the_config() -> None:
    guide = (ROOT / 'docs/ablation.md').read_text()
    begin, end = (f'<!-- ablation_coco variants {word} -->' for word in ('begin', 'end'))
    assert guide.partition(begin)[2].partition(end)[0].strip() == ablation().description()


@pytest.mark.parametrize('data', ['hituav', 'deeppcb'])
def test_results_are_of_the_experiments_they_name(data: str) -> None:
    """By their hash, unless the document says that the config has changed since."""
    hashes = {variant.name: variant.config_hash for variant in ablation('cpu', data).variants()}
    files = list((ROOT / f'docs/measurements/ablation_coco_{data}_cpu').glob('*_seed*.json'))
    outdated = ' '.join(re.findall(r'has changed since these runs were done: (.*)', RESULTS))
    assert len(files) > 5
    for file in files:
        result = json.loads(file.read_text())
        assert result['config'] == hashes[result['variant']] or file.stem in outdated, file.name
