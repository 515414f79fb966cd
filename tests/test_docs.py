"""The configs shown in docs/auxiliary_task.md and docs/pretrained.md are configs."""

import re
from pathlib import Path

import pytest
from mmengine.config import Config

from abc_mmdet.custom_dataset import NETWORKS
from abc_mmdet.engine import MultiTaskWeightHook, PretrainedWeightsHook
from mmdet.registry import HOOKS, MODELS

ROOT = Path(__file__).parents[1]
EXAMPLES = re.findall(
    r'```python\n(.*?)```', (ROOT / 'docs/auxiliary_task.md').read_text(), re.DOTALL
)


@pytest.mark.parametrize('example', EXAMPLES, ids=range(len(EXAMPLES)))
def test_examples_build(example: str, tmp_path: Path) -> None:
    path = tmp_path / 'mine.py'
    path.write_text(f"_base_ = '{ROOT}/configs/frames/abc_100k.py'\n{example}")
    shown: dict = {}
    exec(example, shown)
    config = Config.fromfile(path)
    head = MODELS.build(config.model.bbox_head)
    if 'model' in shown:
        options = shown['model']['bbox_head']
        for name, values in options.items():
            merged = config.model.bbox_head[name]
            assert {**merged, **values} == dict(merged), 'as shown, on top of the base'
        assert head.arbiter.mode == options.get('arbiter', {}).get('mode', 'sum')
    for hook in shown.get('custom_hooks', ()):
        built = HOOKS.build(hook)
        assert isinstance(built, MultiTaskWeightHook)
        weights = [built.weight_at('aux_weight', i, configured=2.0) for i in (0, 1000, 100_000)]
        assert weights == [0.0, 0.25, 0.0]


def test_there_are_examples() -> None:
    assert len(EXAMPLES) == 3


def test_configs_of_the_page_about_pretrained_weights() -> None:
    text = (ROOT / 'docs/pretrained.md').read_text()
    address, options = (block for block in re.findall(r'```python\n(.*?)```', text, re.DOTALL))
    shown: dict = {}
    exec(address + options, shown)
    assert shown['load_from'] == NETWORKS['s'].weights
    hook = HOOKS.build(shown['default_hooks']['pretrained_weights'])
    assert isinstance(hook, PretrainedWeightsHook) and hook.class_map['Vehicle'] == 'truck'
    for tool in re.findall(r'tools/[\w/]+\.py', text):
        assert (ROOT / tool).is_file()
