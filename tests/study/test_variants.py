import os
from pathlib import Path

import pytest

from abc_mmdet.errors import UserError
from abc_mmdet.study.variants import _of_the_experiment, _read_variant, read_ablation, use_variables

ROOT = Path(__file__).parents[2]


def test_order_choice_and_mistakes(tiny_ablation: Path, tmp_path: Path) -> None:
    assert [variant.name for variant in read_ablation(tiny_ablation)] == [
        'baseline',
        'abc',
        'wrong',
    ]
    assert [variant.name for variant in read_ablation(tiny_ablation, ['wrong'])] == [
        'baseline',
        'wrong',
    ]
    assert read_ablation(tiny_ablation)[1].title == 'ABC'
    with pytest.raises(UserError, match=r'--variants nope: .* has abc, baseline, wrong'):
        read_ablation(tiny_ablation, ['nope'])
    with pytest.raises(UserError, match='is no ablation'):
        read_ablation(tmp_path)
    (tmp_path / 'baseline.py').write_text('variant = dict(title="no order")')
    with pytest.raises(UserError, match='add variant = dict'):
        read_ablation(tmp_path)


def test_hash_is_that_of_the_experiment(tiny_ablation: Path, tmp_path: Path, monkeypatch) -> None:
    """Neither the place of the data nor words change it; a number does."""
    original = (tiny_ablation / 'abc.py').read_text()

    def hash_of(*changes: tuple[str, str]) -> str:
        text = original
        for old, new in changes:
            assert old in text
            text = text.replace(old, new)
        (tmp_path / 'baseline.py').write_text(text)
        return read_ablation(tmp_path)[0].config_hash

    same = hash_of()
    assert hash_of() == same
    assert hash_of(("title='ABC'", "title='other'"), ('order=1', 'order=9')) == same
    assert hash_of((str(tiny_ablation.parent / 'data'), '/elsewhere')) == same
    assert hash_of(('max_iters = 6', 'max_iters = 7')) != same
    assert hash_of(('batch_size=2', 'batch_size=3')) != same


def test_hash_does_not_know_where_weights_lie(monkeypatch) -> None:
    def hashes() -> dict[str, str]:
        ablation = ROOT / 'configs/ablation_coco'
        return {name: _read_variant(ablation / f'{name}.py').config_hash for name in names}

    names = ('baseline', 'distilled')

    for variable, value in (('ABC_ABLATION_SIZE', 'cpu'), ('ABC_ABLATION_DATA', 'hituav')):
        monkeypatch.setenv(variable, value)
    first = hashes()
    monkeypatch.setenv('ABC_YOLOX_NANO', '/elsewhere/yolox_nano_coco.pth')
    monkeypatch.setenv('ABC_TEACHER', '/elsewhere/teacher.pth')
    assert hashes() == first
    monkeypatch.setenv('ABC_YOLOX_NANO', '/elsewhere/other.pth')
    assert all(hashes()[name] != value for name, value in first.items())


def test_how_a_run_is_kept_is_no_part_of_it() -> None:
    """Results that were made before runs could be resumed exactly are still those of the config."""
    hooks = dict(checkpoint=dict(type='AtomicCheckpointHook'), resume=dict(type='ExactResumeHook'))
    assert _of_the_experiment(hooks) == dict(checkpoint=dict(type='CheckpointHook'))


def test_sizes_and_data(monkeypatch, tmp_path: Path) -> None:
    for variable in ('ABC_ABLATION_SIZE', 'ABC_ABLATION_DATA'):
        monkeypatch.setenv(variable, '')
    ablation = ROOT / 'configs/ablation_coco'
    assert use_variables(ablation, 'gpu', 'hituav') == 'ablation_coco_hituav_gpu'
    assert (os.environ['ABC_ABLATION_SIZE'], os.environ['ABC_ABLATION_DATA']) == ('gpu', 'hituav')
    assert use_variables(ablation, 'cpu') == 'ablation_coco_deeppcb_cpu'
    with pytest.raises(UserError, match=r'--size huge: .* has cpu, gpu'):
        use_variables(ablation, 'huge')
    with pytest.raises(UserError, match=r'--data coco: .* has deeppcb, hituav'):
        use_variables(ablation, 'cpu', 'coco')
    assert use_variables(tmp_path, 'any') == f'{tmp_path.name}_any'
    with pytest.raises(UserError, match='has none to choose'):
        use_variables(tmp_path, 'any', 'hituav')
