import os
from pathlib import Path

import pytest
from mmengine.config import Config

from abc_mmdet.apis import load_experiment
from abc_mmdet.errors import UserError
from abc_mmdet.study.variants import Ablation, config_hash, use_variables

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / 'configs/ablation_coco'


def test_order_choice_and_mistakes(tiny_ablation: Path, tmp_path: Path) -> None:
    ablation = Ablation(tiny_ablation)
    assert [variant.name for variant in ablation.variants()] == ['baseline', 'abc', 'wrong']
    assert [variant.name for variant in ablation.variants(['wrong'])] == ['baseline', 'wrong']
    assert ablation.variants()[1].title == 'ABC' and ablation.variants()[1].reason == 'It helps.'
    assert len({variant.config_hash for variant in ablation.variants()}) == 3
    assert ablation.description().splitlines()[3] == '| 1 | `abc` | ABC | It helps. |'
    with pytest.raises(UserError, match=r'--variants nope: .* has abc, baseline, wrong'):
        ablation.variants(['nope'])
    with pytest.raises(UserError, match=r'is no ablation: .* has no baseline\.py'):
        Ablation(tmp_path)
    (tmp_path / 'baseline.py').write_text('load_from = None')
    with pytest.raises(UserError, match=r'is no ablation: .* has no variants\.py'):
        Ablation(tmp_path)
    for text, message in (
        ('variants = dict(x=dict())', 'it needs a dict variants with an entry baseline'),
        ('variants = dict(baseline=dict(title="no order"))', 'variant baseline: order=None'),
        ('variants = [', 'variants.py'),
    ):
        (tmp_path / 'variants.py').write_text(f"_base_ = './baseline.py'\n{text}")
        with pytest.raises(UserError, match=message):
            Ablation(tmp_path)


def test_the_variable_of_one_variant_does_not_change_the_table(tiny_ablation, monkeypatch) -> None:
    expected = Ablation(tiny_ablation).variants()
    monkeypatch.setenv('ABC_ABLATION_VARIANT', 'abc')
    assert Ablation(tiny_ablation).variants() == expected
    assert os.environ['ABC_ABLATION_VARIANT'] == 'abc'


def test_hash_is_that_of_the_experiment(tiny_ablation: Path, tmp_path: Path) -> None:
    """Neither the place of the data nor words change it; a number does."""
    baseline = (tiny_ablation / 'baseline.py').read_text()
    table = (tiny_ablation / 'variants.py').read_text()

    def hash_of(*changes: tuple[str, str]) -> str:
        texts = dict(baseline=baseline, variants=table)
        for old, new in changes:
            assert any(old in text for text in texts.values())
            texts = {name: text.replace(old, new) for name, text in texts.items()}
        for name, text in texts.items():
            (tmp_path / f'{name}.py').write_text(text)
        return Ablation(tmp_path).variants()[1].config_hash

    same = hash_of()
    assert hash_of(("title='ABC'", "title='other'"), ('order=1', 'order=1.5')) == same
    assert hash_of((str(tiny_ablation.parent / 'data'), '/elsewhere')) == same
    assert hash_of(('max_iters = 6', 'max_iters = 7')) != same
    assert hash_of(('batch_size=2', 'batch_size=3')) != same
    assert hash_of(('use_auxiliary=True', 'use_auxiliary=False')) != same


def test_hash_does_not_know_where_weights_lie(monkeypatch) -> None:
    def hashes() -> dict[str, str]:
        ablation = Ablation(FOLDER)
        return {n: config_hash(ablation.config(n)) for n in ('baseline', 'distilled')}

    for variable, value in (('ABC_ABLATION_SIZE', 'cpu'), ('ABC_ABLATION_DATA', 'hituav')):
        monkeypatch.setenv(variable, value)
    first = hashes()
    monkeypatch.setenv('ABC_YOLOX_NANO', '/elsewhere/yolox_nano_coco.pth')
    monkeypatch.setenv('ABC_TEACHER', '/elsewhere/teacher.pth')
    monkeypatch.setenv('ABC_HITUAV', '/elsewhere/flights')
    assert hashes() == first
    monkeypatch.setenv('ABC_YOLOX_NANO', '/elsewhere/other.pth')
    assert all(hashes()[name] != value for name, value in first.items())


def test_sizes_and_data(monkeypatch, tmp_path: Path) -> None:
    for variable in ('ABC_ABLATION_SIZE', 'ABC_ABLATION_DATA'):
        monkeypatch.setenv(variable, 'former')
    assert use_variables(FOLDER, 'gpu', 'deeppcb') == 'ablation_coco_deeppcb_gpu'
    assert (os.environ['ABC_ABLATION_SIZE'], os.environ['ABC_ABLATION_DATA']) == ('gpu', 'deeppcb')
    assert use_variables(FOLDER, 'cpu') == 'ablation_coco_hituav_cpu'
    with pytest.raises(UserError, match=r'--size huge: .* has cpu, gpu'):
        use_variables(FOLDER, 'huge')
    with pytest.raises(UserError, match=r'--data coco: .* has hituav, deeppcb'):
        use_variables(FOLDER, 'cpu', 'coco')
    assert use_variables(tmp_path, 'any') == f'{tmp_path.name}_any'
    with pytest.raises(UserError, match='has none to choose'):
        use_variables(tmp_path, 'any', 'hituav')


def test_an_exported_config_is_the_experiment_by_itself(tiny_ablation, tmp_path: Path) -> None:
    ablation = Ablation(tiny_ablation)
    path = tmp_path / 'new/mine.py'
    ablation.export('abc', path)
    text = path.read_text()
    assert text.startswith('# abc of ablation: ABC.\n# It helps.\n') and '_base_' not in text
    expected, found = ablation.config('abc').to_dict(), Config.fromfile(path).to_dict()
    assert found.pop('work_dir') == 'work_dirs/mine'
    assert {'model', 'train_dataloader', 'custom_imports', 'data_root'} <= set(found)
    assert {'loader', 'max_iters', 'variants'} & set(found) == set(), 'nothing reads those'
    assert found == {field: expected[field] for field in found}
    assert config_hash(load_experiment(str(path))) == ablation.variants()[1].config_hash
    moved = load_experiment(str(path), dict(data_root='/elsewhere'))
    assert moved.train_dataloader.dataset.data_root == '/elsewhere/'
