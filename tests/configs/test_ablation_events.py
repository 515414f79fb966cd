"""The table of variants on event recordings: every entry, and in the results."""

import json
from pathlib import Path

import pytest
from mmengine.registry import init_default_scope
from torch.utils.flop_counter import FlopCounterMode

from abc_mmdet.study.variants import Ablation
from mmdet.registry import MODELS

from .steps import demo_batch, train_and_predict

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / 'configs/ablation_events'
ABLATION = Ablation(FOLDER)


@pytest.mark.parametrize('name', list(ABLATION.table))
def test_every_variant_trains_and_predicts(name: str) -> None:
    train_and_predict(ABLATION.config(name))


def test_the_networks_that_are_compared_cost_alike() -> None:
    """RVT's may cost a little more than that with an adapter; a task for training alone nothing."""
    init_default_scope('mmdet')
    flops = {}
    for name in ('adapter', 'adapter_abc', 'maxvit_rnn'):
        config = ABLATION.config(name)
        model = MODELS.build(config.model).eval()
        batch = model.data_preprocessor(demo_batch(config), training=False)
        with FlopCounterMode(display=False) as counter:
            model(**batch, mode='tensor')
        flops[name] = counter.get_total_flops()
    assert flops['adapter_abc'] == flops['adapter']
    assert 1.0 < flops['maxvit_rnn'] / flops['adapter'] < 1.3


def test_results_are_of_the_experiments_they_name() -> None:
    hashes = {variant.name: variant.config_hash for variant in ABLATION.variants()}
    files = list((ROOT / 'docs/measurements/ablation_events_cpu').glob('*_seed*.json'))
    assert len(files) > 5
    for file in files:
        result = json.loads(file.read_text())
        assert result['config'] == hashes[result['variant']], file.name
