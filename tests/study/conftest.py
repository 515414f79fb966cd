from pathlib import Path

import pytest

from abc_mmdet.datasets.synthetic.coco_export import Recipe, prepare

ROOT = Path(__file__).parents[2]
ABC = """
_base_ = '{root}/configs/small/abc_synthetic.py'
variant = dict(order=1, title='ABC')
max_iters = 6
data_root = '{data}/'
model = dict(
    backbone=dict(widen_factor=0.125),
    neck=dict(in_channels=[16, 32, 64, 128]),
    test_cfg=dict(score_thr=0.0))
loader = dict(
    batch_size=2, num_workers=0, persistent_workers=False, dataset=dict(data_root=data_root))
train_dataloader = loader
val_dataloader = loader
val_evaluator = dict(ann_file=data_root + 'annotations/val.json')
train_cfg = dict(max_iters=max_iters)
default_hooks = dict(checkpoint=dict(interval=1))
"""
BASELINE = """
_base_ = './abc.py'
variant = dict(order=0, title='main head alone')
model = dict(bbox_head=dict(use_auxiliary=False))
"""
WRONG = """
_base_ = './abc.py'
variant = dict(order=2, title='wrong')
model = dict(bbox_head=dict(aux_head=dict(typo=1)))
"""


@pytest.fixture(scope='session')
def tiny_ablation(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An ablation of three variants, one of them wrong, on a few frames of synthetic traffic."""
    folder = tmp_path_factory.mktemp('study')
    prepare(folder / 'data', Recipe(train=5, val=3, width=128, height=96, seed=1))
    ablation = folder / 'ablation'
    ablation.mkdir()
    for name, text in (('abc', ABC), ('baseline', BASELINE), ('wrong', WRONG)):
        text = text.replace('{root}', str(ROOT)).replace('{data}', str(folder / 'data'))
        (ablation / f'{name}.py').write_text(text)
    return ablation
