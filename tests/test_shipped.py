"""Configs by name."""

from pathlib import Path

import pytest

from abc_mmdet.apis import load_experiment
from abc_mmdet.errors import UserError
from abc_mmdet.shipped import config_names, find_config

CONFIGS = Path(__file__).parents[1] / 'configs'


@pytest.mark.parametrize(
    ('name', 'path'),
    [
        ('abc_sod_basic_100k', 'abc_sod_basic_100k.py'),
        ('frames/finetune_yolox_s.py', 'frames/finetune_yolox_s.py'),
        ('./frames/finetune_yolox_s', 'frames/finetune_yolox_s.py'),
        ('configs/small/abc_synthetic.py', 'small/abc_synthetic.py'),
    ],
)
def test_a_shipped_config_is_found_by_name_from_anywhere(
    name: str, path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert find_config(name) == str(CONFIGS / path)


def test_a_file_of_that_path_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ('abc_sod_basic_100k', 'mine.py'):
        Path(name).touch()
        assert find_config(name) == name
    Path('four_level_100k').mkdir()
    assert find_config('four_level_100k') == str(CONFIGS / 'four_level_100k.py')


@pytest.mark.parametrize(
    ('name', 'said'),
    [
        ('abc_synthetic', 'Did you mean small/abc_synthetic?'),
        ('baseline_3level_100', 'Did you mean baseline_3level_100k or'),
        ('_base_/default_runtime', 'ships none of this name'),
        ('../configs/abc_sod_basic_100k', 'ships none of this name'),
        ('zzz', f'Shipped configs are in {CONFIGS}'),
        ('frames\\abc_100k.py', 'write slashes (/) instead'),
    ],
)
def test_what_is_meant_is_said(
    name: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError) as error:
        find_config(name)
    assert f'no config file {name} ' in str(error.value) and said in str(error.value)


def test_names_are_those_of_all_experiments() -> None:
    names = config_names()
    assert len(names) == len(set(names)) > 20
    assert all((CONFIGS / f'{name}.py').is_file() and '_base_' not in name for name in names)


def test_an_experiment_by_name_says_which_file_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    config = load_experiment('small/abc_synthetic')
    path = CONFIGS / 'small/abc_synthetic.py'
    assert (config.filename, config.work_dir) == (str(path), 'work_dirs/abc_synthetic')
    assert f'config: {path}\n' in capsys.readouterr().err
