import threading
from functools import partial
from http.server import HTTPServer, SimpleHTTPRequestHandler
from pathlib import Path

import pytest
import torch
from mmengine.config import Config

from abc_mmdet.apis import check_checkpoint, check_data, load_experiment
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


def config_for(root: Path, **extra: object) -> Config:
    leaf = dict(data_root=str(root), ann_file='train.json', data_prefix=dict(img='images/'))
    wrapped = dict(type='RepeatDataset', dataset=dict(type='ConcatDataset', datasets=[leaf]))
    return Config(dict(train_dataloader=dict(dataset=wrapped), val_dataloader=None, **extra))


def test_missing_files_are_named_with_field_and_remedy(tmp_path: Path) -> None:
    config = config_for(tmp_path)
    with pytest.raises(UserError) as error:
        check_data(config, 'train_dataloader', 'val_dataloader')
    message = str(error.value)
    assert 'train_dataloader.dataset.dataset.datasets[0].ann_file' in message
    assert str(tmp_path / 'train.json') in message
    assert 'data_root=DIR' in message
    (tmp_path / 'train.json').touch()
    with pytest.raises(UserError, match=r'data_prefix\.img'):
        check_data(config, 'train_dataloader')
    (tmp_path / 'images').mkdir()
    check_data(config, 'train_dataloader', 'val_dataloader', 'test_dataloader')


@pytest.mark.parametrize(
    ('dataset', 'message'),
    [
        (None, 'train_dataloader.dataset=None is no data set'),
        ('data/train', "train_dataloader.dataset='data/train' is no data set"),
        (dict(ann_file=['a.json', 'b.json']), r'ann_file=.*is no path.*ConcatDataset'),
        (dict(data_root=5), 'data_root=5 is no path'),
        (dict(data_prefix='images/'), r"data_prefix='images/': .*dict\(img=FOLDER\)"),
        (dict(type='RepeatDataset', dataset=[3]), r'dataset\.dataset\[0\]=3 is no data set'),
    ],
)
def test_data_sets_that_are_none(dataset: object, message: str) -> None:
    config = Config(dict(train_dataloader=dict(dataset=dataset)))
    with pytest.raises(UserError, match=message):
        check_data(config, 'train_dataloader')


def test_remedy_of_the_config_is_shown(tmp_path: Path) -> None:
    with pytest.raises(UserError, match='ask the drone'):
        check_data(config_for(tmp_path, data_help='ask the drone'), 'train_dataloader')


def test_checkpoints(tmp_path: Path) -> None:
    path = tmp_path / 'iter_1.pth'
    with pytest.raises(UserError, match='--resume: there is no checkpoint'):
        check_checkpoint(str(path), '--resume')
    for legacy in (False, True):
        torch.save(
            dict(state_dict={'w': torch.zeros(1000)}),
            path,
            _use_new_zipfile_serialization=not legacy,
        )
        check_checkpoint(str(path), 'checkpoint')
    torch.save(dict(state_dict={'w': torch.zeros(1000)}), path)
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(UserError, match='cut off'):
        check_checkpoint(str(path), 'checkpoint')
    path.write_bytes(b'')
    with pytest.raises(UserError, match='cut off'):
        check_checkpoint(str(path), 'checkpoint')
    check_checkpoint('s3://bucket/a.pth', 'checkpoint')


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


def test_checkpoints_of_the_web(tmp_path: Path, monkeypatch) -> None:
    """Downloaded once, to where PyTorch and MMEngine look for them; a real server on loopback."""
    monkeypatch.setenv('TORCH_HOME', str(tmp_path / 'home'))
    (tmp_path / 'web').mkdir()
    torch.save(dict(state_dict={'w': torch.ones(3)}), tmp_path / 'web/weights.pth')
    server = HTTPServer(('127.0.0.1', 0), partial(Quiet, directory=tmp_path / 'web'))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    address = f'http://127.0.0.1:{server.server_port}'
    try:
        check_checkpoint(f'{address}/weights.pth', 'load_from')
        with pytest.raises(UserError, match=r'gone\.pth cannot be downloaded .*404'):
            check_checkpoint(f'{address}/gone.pth', 'load_from')
    finally:
        server.shutdown()
        server.server_close()
    check_checkpoint(f'{address}/weights.pth', 'load_from')  # it is there
    loaded = torch.hub.load_state_dict_from_url(f'{address}/weights.pth')
    assert torch.equal(loaded['state_dict']['w'], torch.ones(3))
    with pytest.raises(UserError) as error:
        check_checkpoint(f'{address}/other.pth', 'load_from')
    place = tmp_path / 'home/hub/checkpoints/other.pth'
    assert f'Without internet put the file at {place}' in str(error.value)
    assert '--weights none' in str(error.value)
    assert [path.name for path in place.parent.iterdir()] == ['weights.pth']
