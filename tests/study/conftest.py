from pathlib import Path

import pytest
from mmengine.config import Config

from abc_mmdet.datasets.synthetic.coco_export import Recipe, prepare
from abc_mmdet.study.variants import Ablation

ROOT = Path(__file__).parents[2]
BASELINE = """
_base_ = '{root}/configs/small/abc_synthetic.py'
max_iters = 6
data_root = '{data}/'
model = dict(
    backbone=dict(widen_factor=0.125),
    neck=dict(in_channels=[16, 32, 64, 128]),
    bbox_head=dict(use_auxiliary=False),
    test_cfg=dict(score_thr=0.0))
loader = dict(
    batch_size=2, num_workers=0, persistent_workers=False, dataset=dict(data_root=data_root))
train_dataloader = loader
val_dataloader = loader
val_evaluator = dict(ann_file=data_root + 'annotations/val.json')
train_cfg = dict(max_iters=max_iters)
default_hooks = dict(checkpoint=dict(interval=1))
"""
VARIANTS = """
_base_ = './baseline.py'
variants = dict(
    wrong=dict(
        order=2, title='wrong', reason='To see what becomes of it.',
        combines='abc', model=dict(bbox_head=dict(aux_head=dict(typo=1)))),
    baseline=dict(order=0, title='main head alone', reason='The baseline.'),
    abc=dict(
        order=1, title='ABC', reason='It helps.', model=dict(bbox_head=dict(use_auxiliary=True))))
from abc_mmdet.study.variant_table import use_variant
use_variant(globals(), '{{$ABC_ABLATION_VARIANT:baseline}}')
"""


@pytest.fixture(scope='session')
def tiny_ablation(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An ablation of three variants, one of them wrong, on a few frames of synthetic traffic."""
    folder = tmp_path_factory.mktemp('study')
    prepare(folder / 'data', Recipe(train=5, val=3, width=128, height=96, seed=1))
    ablation = folder / 'ablation'
    ablation.mkdir()
    text = BASELINE.replace('{root}', str(ROOT)).replace('{data}', str(folder / 'data'))
    (ablation / 'baseline.py').write_text(text)
    (ablation / 'variants.py').write_text(VARIANTS)
    return ablation


@pytest.fixture
def tiny_configs(tiny_ablation: Path) -> dict[str, Config]:
    """The experiments of its variants, new ones for each test."""
    ablation = Ablation(tiny_ablation)
    return {name: ablation.config(name) for name in ablation.table}
