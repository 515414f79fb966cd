from pathlib import Path

import pytest

from abc_mmdet.apis import load_experiment
from abc_mmdet.errors import UserError

CONFIG = """
data_root = 'data/mine/'
train_dataloader = dict(dataset=dict(data_root=data_root, ann_file='train.json'))
evaluators = [dict(ann_file=data_root + 'val.json'), dict(ann_file='data/mine_too/val.json')]
limits = (1, 2)
classes = ('car', 'person')
small_classes = ('person',)
model = dict(classes=classes, small_classes=small_classes, teacher=dict(classes=('dog',)))
"""


@pytest.fixture
def config(tmp_path: Path) -> str:
    path = tmp_path / 'mine.py'
    path.write_text(CONFIG)
    return str(path)


def test_data_root_moves_every_path_derived_from_it(config: str) -> None:
    experiment = load_experiment(config, dict(data_root='/big/disk'))
    assert experiment.data_root == '/big/disk/'
    assert experiment.train_dataloader.dataset.data_root == '/big/disk/'
    assert experiment.evaluators[0].ann_file == '/big/disk/val.json'
    assert experiment.evaluators[1].ann_file == 'data/mine_too/val.json'
    assert experiment.limits == (1, 2)


def test_class_names_change_wherever_they_came_from_the_variable(config: str) -> None:
    options = dict(classes=['bus', 'bike'], small_classes='bike')
    experiment = load_experiment(config, options)
    assert experiment.classes == ('bus', 'bike')
    assert experiment.model.classes == ('bus', 'bike')
    assert experiment.model.small_classes == ('bike',)
    assert experiment.model.teacher.classes == ('dog',)


def test_all_classes_are_small_by_one_word(config: str) -> None:
    experiment = load_experiment(config, dict(small_classes='all'))
    assert experiment.small_classes == experiment.model.small_classes == 'all'
    with open(config, 'a') as file:
        file.write("small_classes = model['small_classes'] = 'all'\n")
    experiment = load_experiment(config, dict(small_classes=['person', 'car']))
    assert experiment.small_classes == experiment.model.small_classes == ('person', 'car')


def test_overrides_and_work_dir(config: str) -> None:
    experiment = load_experiment(config, {'train_dataloader.dataset.ann_file': 'other.json'})
    assert experiment.train_dataloader.dataset.ann_file == 'other.json'
    assert experiment.work_dir == 'work_dirs/mine'
    assert load_experiment(config, work_dir='runs/1').work_dir == 'runs/1'


def test_missing_config_is_named() -> None:
    with pytest.raises(UserError, match=r'no config file nowhere\.py'):
        load_experiment('nowhere.py')


@pytest.mark.parametrize(
    'text',
    [
        'model = dict(',
        "_base_ = './missing.py'",
        'value = undefined_name',
        "custom_imports = dict(imports=['no_such_module'], allow_failed_imports=False)",
    ],
)
def test_wrong_configs_are_named(tmp_path: Path, text: str) -> None:
    path = tmp_path / 'wrong.py'
    path.write_text(text)
    with pytest.raises(UserError, match=r'wrong\.py'):
        load_experiment(str(path))


@pytest.mark.parametrize('variable', ['data_root', 'classes'])
def test_variable_that_the_config_does_not_have(tmp_path: Path, variable: str) -> None:
    path = tmp_path / 'none.py'
    path.write_text('x = 1')
    with pytest.raises(UserError, match=f'no variable {variable}'):
        load_experiment(str(path), {variable: '/x'})


@pytest.mark.parametrize(
    ('option', 'advice'),
    [
        ('ann_file', 'nothing reads a field of this name. .*: train_dataloader.dataset.ann_file'),
        ('limits', 'a variable of the config file.* Override the fields themselves'),
        ('evaluators.0.ann_file', '.*have their value already'),
    ],
)
def test_overrides_without_effect_are_refused(config: str, option: str, advice: str) -> None:
    with pytest.raises(UserError, match=f'--cfg-options {option}: {advice}'):
        load_experiment(config, {option: 'x'})
