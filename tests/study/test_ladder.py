import json
from pathlib import Path

import pytest

from abc_mmdet.errors import UserError
from abc_mmdet.study.ladder import _read_rung, read_ladder, use_size

ROOT = Path(__file__).parents[2]


def test_order_choice_and_mistakes(tiny_ladder: Path, tmp_path: Path) -> None:
    assert [rung.name for rung in read_ladder(tiny_ladder)] == ['baseline', 'abc', 'wrong']
    assert [rung.name for rung in read_ladder(tiny_ladder, ['wrong'])] == ['baseline', 'wrong']
    assert read_ladder(tiny_ladder)[1].title == 'ABC'
    with pytest.raises(UserError, match=r'--rungs nope: .* has abc, baseline, wrong'):
        read_ladder(tiny_ladder, ['nope'])
    with pytest.raises(UserError, match='is no ladder'):
        read_ladder(tmp_path)
    (tmp_path / 'baseline.py').write_text('rung = dict(title="no order")')
    with pytest.raises(UserError, match='add rung = dict'):
        read_ladder(tmp_path)


def test_hash_is_that_of_the_experiment(tiny_ladder: Path, tmp_path: Path, monkeypatch) -> None:
    """Neither the place of the data nor words change it; a number does."""
    original = (tiny_ladder / 'abc.py').read_text()

    def hash_of(*changes: tuple[str, str]) -> str:
        text = original
        for old, new in changes:
            assert old in text
            text = text.replace(old, new)
        (tmp_path / 'baseline.py').write_text(text)
        return read_ladder(tmp_path)[0].config_hash

    same = hash_of()
    assert hash_of() == same
    assert hash_of(("title='ABC'", "title='other'"), ('order=1', 'order=9')) == same
    assert hash_of((str(tiny_ladder.parent / 'data'), '/elsewhere')) == same
    assert hash_of(('max_iters = 6', 'max_iters = 7')) != same
    assert hash_of(('batch_size=2', 'batch_size=3')) != same


def test_how_a_run_is_kept_is_no_part_of_it(monkeypatch) -> None:
    """Results that were made before runs could be resumed exactly are still those of the config."""
    monkeypatch.setenv('ABC_LADDER_SIZE', 'cpu')
    rung = _read_rung(ROOT / 'configs/ladder/baseline.py')
    result = json.loads((ROOT / 'docs/measurements/ladder_cpu/baseline_seed0.json').read_text())
    assert rung.config_hash == result['config']


def test_sizes(monkeypatch) -> None:
    monkeypatch.setenv('ABC_LADDER_SIZE', '')
    assert use_size(ROOT / 'configs/ladder', 'gpu') == 'ladder_gpu'
    with pytest.raises(UserError, match=r'--size huge: .* has cpu, gpu'):
        use_size(ROOT / 'configs/ladder', 'huge')
